"""Makes docs/gallery/, a page for each use of an edit, from the example pictures: `python docs/gallery.py`.

python docs/gallery.py --model FOLDER --out FOLDER    the same pages with another model
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from overpaint import Editor, EditRequest, EditResult, decode
from overpaint.maps import apply_tool
from overpaint.params import PresetName
from overpaint.picture import Picture, to_pil
from overpaint.presets import Preset, presets_for
from overpaint.sheet import Panel, sheet

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
SEED = 7
SIDE, STRIP = 440, 190  # pixels: the width of a picture, and of one on a strip of strengths
QUALITY = 84
SCRATCHES = ((40, 90, 300, 20), (210, 400, 470, 250), (130, 300, 150, 480))  # x, y, x, y on the castle
PHOTO = "Photo: Aitzol Berasategi, CC BY 4.0."


@dataclass(frozen=True)
class Entry:
    """One page: what is edited, how, and what to see in it.

    Attributes:
        options: of the request, beside preset and seed.
        flags: the same on the command line.
        tools: map tools, in their order.
    """

    preset: PresetName
    picture: str
    prompt: str
    words: str
    strengths: tuple[float, ...]
    tools: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    flags: str = ""


ENTRIES = (
    Entry(
        "style",
        "castle.jpg",
        "An oil painting in the style of Van Gogh of a castle by a mountain lake",
        "Strokes take the place of texture. From .6 on this small model forgets the towers.",
        (0.2, 0.35, 0.5, 0.65, 0.8),
    ),
    Entry(
        "sketch",
        "sketch.jpg",
        "cliffs by the sea",
        "Flat colours become water, rock and sky. The stronger, the less of the sketch's own lines.",
        (0.4, 0.5, 0.6, 0.7, 0.8),
    ),
    Entry(
        "enhance",
        "mountains.jpg",
        "mountains above a meadow",
        "What this use is for needs a better model than the included one, whose pictures are softer than this photo.",
        (0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    Entry(
        "scene",
        "mountains.jpg",
        "Same scene at night with stars, mountains above a meadow",
        "Light and colour are the edit's, the fine structure is the photo's own, at its full size.",
        (0.3, 0.45, 0.6, 0.7, 0.8),
    ),
    Entry(
        "tweak",
        "mountains.jpg",
        "A photo of mountains above a meadow in warm evening light",
        "Small changes of light; the picture stays the picture.",
        (0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    Entry(
        "remove",
        "mountains.jpg",
        "A clear deep blue sky above mountains",
        "A cloud, marked by a click and grown a little. Everything else keeps its own pixels.",
        (0.2, 0.3, 0.4, 0.6, 0.8),
        tools=("select:363,302,250,170", "grow:20"),
    ),
    Entry(
        "replace",
        "castle.jpg",
        "a forest by a mountain lake",
        "What is marked becomes something else, in the picture's own light; with the included model it is soft.",
        (0.5, 0.6, 0.7, 0.8, 0.9),
        tools=("box:95,125,140,140", "grow:4"),
    ),
    Entry(
        "add",
        "mountains.jpg",
        "a blue lake below mountains",
        "Something that was not there: strength 1 ignores what is under the mark. The included model paints it softly.",
        (0.6, 0.7, 0.8, 0.9, 1.0),
        tools=("box:0,800,1536,352",),
    ),
    Entry(
        "repair",
        "scratched",
        "a castle by a mountain lake",
        "Scratches go; they are filled from around them first, so that the model never sees them. scratched.png is the "
        "castle with lines drawn over it, scratches.png the lines, a little wider, white on black.",
        (0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    Entry(
        "extend",
        "castle.jpg",
        "a castle by a mountain lake",
        "The picture goes on to the right and below. Its own pixels stay as they are.",
        (0.4, 0.5, 0.6, 0.7, 0.8),
        options={"extend": (0, 0, 160, 96)},
        flags="--right 160 --bottom 96",
    ),
)


def main() -> None:
    """Write a page for each entry, and the index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--out", type=Path, default=DOCS / "gallery")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with Editor(args.model) as editor:
        there = presets_for(editor.card)
        for entry in ENTRIES:
            write_page(editor, entry, there[entry.preset], args.out)
            print(args.out / f"{entry.preset}.md", flush=True)
        write_index(editor, args.out)


def write_page(editor: Editor, entry: Entry, preset: Preset, out: Path) -> None:
    """The pictures and the page of one entry."""
    picture, marked = pictures_of(entry)
    options: dict[str, Any] = {"preset": entry.preset, "seed": SEED, "change_map": marked, **entry.options}
    result = editor.follow(editor.submit(EditRequest(picture, entry.prompt, **options)))
    shown = Picture(overlaid(picture, marked)) if marked is not None else picture
    title = "before" if marked is None else "before; marked in red"
    panels = [Panel(to_pil(shown.pixels), title), Panel(result.image, "after")]
    sheet([panels], width=SIDE).save(out / f"{entry.preset}.jpg", quality=QUALITY)
    swept = editor.sweep(picture, entry.prompt, strengths=entry.strengths, **options)
    swept.sheet(STRIP).save(out / f"{entry.preset}-strengths.jpg", quality=QUALITY)
    (out / f"{entry.preset}.md").write_text(page(entry, preset, result), encoding="utf-8")


def pictures_of(entry: Entry) -> tuple[Picture, "np.ndarray[Any, Any] | None"]:
    """The picture and its map."""
    if entry.picture == "scratched":
        return scratched(decode.load(EXAMPLES / "castle.jpg"))
    picture, marked = decode.load(EXAMPLES / entry.picture), None
    for tool in entry.tools:
        marked = apply_tool(marked, picture, tool)
    return picture, marked


def scratched(picture: Picture) -> tuple[Picture, "np.ndarray[Any, Any]"]:
    """A picture with light scratches, and where they are, a little wider."""
    import cv2

    spoilt, marked = picture.pixels.copy(), np.zeros(picture.pixels.shape[:2], np.float32)
    for x0, y0, x1, y1 in SCRATCHES:
        cv2.line(spoilt, (x0, y0), (x1, y1), (235, 230, 215), 3, cv2.LINE_AA)
        cv2.line(marked, (x0, y0), (x1, y1), 1.0, 9)
    return Picture(spoilt), marked


def overlaid(picture: Picture, marked: "np.ndarray[Any, Any]") -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """The picture with the map in red over it."""
    red = np.array([230, 40, 40], np.float32)
    over = 0.55 * marked[..., None]
    return (picture.pixels * (1 - over) + red * over + 0.5).astype(np.uint8)


def command(entry: Entry) -> str:
    """What makes the same picture on the command line, from the project's folder."""
    flags = " ".join([*(f"--tool {tool}" for tool in entry.tools), *([entry.flags] if entry.flags else [])])
    if entry.preset == "extend":
        return f'overpaint extend examples/{entry.picture} "{entry.prompt}" {flags} --seed {SEED}'
    if entry.picture == "scratched":
        return f'overpaint edit scratched.png "{entry.prompt}" --preset repair --mask scratches.png --seed {SEED}'
    tail = f" {flags}" if flags else ""
    return f'overpaint edit examples/{entry.picture} "{entry.prompt}" --preset {entry.preset}{tail} --seed {SEED}'


def page(entry: Entry, preset: Preset, result: EditResult) -> str:
    """The Markdown of one entry."""
    photo = f" {PHOTO}" if entry.picture == "mountains.jpg" else ""
    low, high = preset.range
    shown = f"Strength {result.params.strength:g}; with this model {low:g} to {high:g} works."
    if result.params.detail:
        shown += f" `detail` {result.params.detail:g}."
    return f"""# {preset.name}: {preset.use}

![before and after]({preset.name}.jpg)

    {command(entry)}

{entry.words} {shown}

![at other strengths]({preset.name}-strengths.jpg)

*The same at other strengths, and below what each of them keeps of the picture. Made by `python docs/gallery.py` with
the model {result.model!r}.{photo}*

[All uses](README.md)
"""


def write_index(editor: Editor, out: Path) -> None:
    """The list of pages, with a small picture of each."""
    there = presets_for(editor.card)
    rows = [
        f"| [{e.preset}]({e.preset}.md) | {there[e.preset].use} | [![]({e.preset}.jpg)]({e.preset}.md) |"
        for e in ENTRIES
    ]
    lines = ["# Gallery", "", "A page for each use: picture, command, result, and the same at other strengths.", ""]
    lines += ["| use | what it is for | |", "| --- | --- | --- |", *rows, ""]
    lines += [
        f"*Made by `python docs/gallery.py` with the model {editor.card.name!r}; it makes the same pages with any "
    ]
    lines += ["other: `--model FOLDER --out FOLDER`.*", ""]
    (out / "README.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
