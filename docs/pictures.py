"""Makes the pictures of README.md and docs/: `python docs/pictures.py`. They change with the model, not the code."""

from pathlib import Path

from PIL import Image

from overpaint import Editor, EditRequest, decode, images
from overpaint.cli.demo import EXAMPLES, SEED
from overpaint.sheet import Panel, sheet

DOCS = Path(__file__).parent
MOUNTAINS = DOCS.parent / "examples" / "mountains.jpg"
CASTLE = DOCS.parent / "examples" / "castle.jpg"
HERO = EXAMPLES[:3]  # the photo at night, at sunset, and painted
STRENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)


def hero(editor: Editor) -> Image.Image:
    """The photo and three edits of it, each with its prompt."""
    requests = [EditRequest(MOUNTAINS, e.prompt, preset=e.preset, seed=SEED) for e in HERO]
    results = {r.index: r for r in editor.edit_many(requests) if not isinstance(r, Exception)}
    panels = [Panel(images.to_pil(decode.load(MOUNTAINS).pixels), "the photo")]
    panels += [Panel(results[i].image, f'"{e.prompt}"', f"--preset {e.preset}") for i, e in enumerate(HERO)]
    return sheet([panels[:2], panels[2:]], width=560)


def noise(editor: Editor) -> Image.Image:
    """A picture under rising noise, and the edits that start from there."""
    prompt = "An oil painting in the style of Van Gogh of a castle by a mountain lake"
    noised = editor.noised(CASTLE, STRENGTHS)
    edited = editor.sweep(CASTLE, prompt, strengths=STRENGTHS, seed=SEED)
    above = [Panel(r.image, f"strength {r.params.strength:g}", f"{r.signal:.0%} left") for r in noised]
    return sheet([above, [Panel(r.image, "edited from there") for r in edited]], width=220)


def main() -> None:
    """Write hero.jpg and noise.jpg."""
    with Editor() as editor:
        hero(editor).save(DOCS / "hero.jpg", quality=88)
        noise(editor).save(DOCS / "noise.jpg", quality=88)


if __name__ == "__main__":
    main()
