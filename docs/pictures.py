"""Makes the pictures of README.md and docs/: `python docs/pictures.py`. They change with the model, not the code."""

from pathlib import Path

import numpy as np
from PIL import Image

from overpaint import Editor, EditRequest, Layer, decode, images
from overpaint.cli.demo import EXAMPLES, SEED
from overpaint.maps import apply_tool
from overpaint.sheet import Panel, sheet, side_by_side

DOCS = Path(__file__).parent
MOUNTAINS = DOCS.parent / "examples" / "mountains.jpg"
SUMMIT = DOCS.parent / "examples" / "summit.jpg"
CASTLE = DOCS.parent / "examples" / "castle.jpg"
HERO = EXAMPLES[:3]  # the photo at night, at sunset, and painted
STRENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)
CLOUD, GROWN = "select:363,302,250,170", "grow:20"
NIGHT, PART = "Same scene at night with stars, hills and mountains", (slice(1640, 2120), slice(2660, 3060))
LARGE, WINDOWED = (1536, 1024), (slice(260, 580), slice(860, 1340))
SKY, LEFT = "linear:0,300,0,760", "linear:180,0,330,0"


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


def maps(editor: Editor) -> Image.Image:
    """Something removed, a night sky by a gradient, two layers, and a picture extended."""
    photo, castle = decode.load(MOUNTAINS), decode.load(CASTLE)
    cloud = apply_tool(apply_tool(None, photo, CLOUD), photo, GROWN)
    sky, left = apply_tool(None, photo, SKY), apply_tool(None, castle, LEFT)
    night = "Same scene at night with stars, "
    layers = (
        Layer(left, "Same scene at sunset, a castle by a mountain lake"),
        Layer(np.float32(1) - left, night + "a castle by a mountain lake"),
    )
    clear, above = "A clear deep blue sky above mountains", night + "mountains above a meadow"
    requests = (
        EditRequest(photo, clear, preset="remove", change_map=cloud, seed=SEED),
        EditRequest(photo, above, preset="scene", change_map=sky, seed=SEED),
        EditRequest(castle, preset="scene", layers=layers, seed=SEED),
        EditRequest(castle, "a castle by a mountain lake", preset="extend", extend="0,0,128,96", seed=SEED),
    )
    removed, dark, layered, grown = (editor.follow(job).image for job in [editor.submit(r) for r in requests])
    rows = [
        [
            Panel(removed, "a cloud removed", f"--preset remove --tool {CLOUD} --tool {GROWN}"),
            Panel(dark, "night above the horizon only", f"--preset scene --tool {SKY}"),
        ],
        [Panel(layered, "two layers: sunset and night"), Panel(grown, "extended", "--right 128 --bottom 96")],
    ]
    return sheet(rows, width=480)


def detail(editor: Editor) -> Image.Image:
    """A part of a large photo at full size: itself, and its night without and with detail."""
    photo = decode.load(SUMMIT)
    requests = [EditRequest(photo, NIGHT, preset="scene", seed=SEED, detail=d) for d in (0, None)]
    jobs = [editor.submit(request) for request in requests]
    pictures = [photo.pixels, *(editor.follow(job).pixels for job in jobs)]
    return side_by_side([images.to_pil(np.ascontiguousarray(p[PART])) for p in pictures])


def windows(editor: Editor) -> Image.Image:
    """A part of a night of 1.6 megapixels: worked at the model's own size, and once more in windows."""
    photo = images.resize(decode.load(SUMMIT).rgb, LARGE)
    night = editor.edit(photo, NIGHT, preset="scene", seed=SEED, detail=0)
    finer = editor.edit(night.pixels, NIGHT, strength=0.3, size="input", seed=SEED)
    return side_by_side([images.to_pil(np.ascontiguousarray(r.pixels[WINDOWED])) for r in (night, finer)])


def main() -> None:
    """Write hero.jpg, noise.jpg, maps.jpg, detail.jpg and windows.jpg."""
    with Editor() as editor:
        hero(editor).save(DOCS / "hero.jpg", quality=88)
        noise(editor).save(DOCS / "noise.jpg", quality=88)
        maps(editor).save(DOCS / "maps.jpg", quality=88)
        detail(editor).save(DOCS / "detail.jpg", quality=88)
        windows(editor).save(DOCS / "windows.jpg", quality=88)


if __name__ == "__main__":
    main()
