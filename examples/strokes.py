"""SDEdit as published (Meng et al. 2021): strokes become a picture or a part of one, a paste loses its edges.

What is drawn or pasted says what is to be there; the edit makes it look like the rest.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from overpaint import Editor, decode
from overpaint.maps import apply_tool

HERE = Path(__file__).parent


def painting() -> Image.Image:
    """A few strokes on a blank page: a sky, mountains, a forest and a lake."""
    page = Image.new("RGB", (512, 512), "#6aa7e0")
    draw = ImageDraw.Draw(page)
    draw.polygon([(0, 260), (120, 110), (230, 240), (350, 80), (512, 250), (512, 320), (0, 320)], "#8d8b8a")
    draw.polygon([(350, 80), (310, 135), (350, 150), (395, 128)], "#f2f4f6")
    draw.rectangle((0, 290, 512, 350), "#2f5d28")
    draw.rectangle((0, 350, 512, 512), "#2f68a0")
    return page


def forested(photo: Image.Image) -> Image.Image:
    """Strokes on a photo: dark green firs in the meadow."""
    stroked = photo.copy()
    draw = ImageDraw.Draw(stroked)
    for x, y, size in ((830, 900, 230), (960, 960, 260), (1110, 900, 240), (1260, 980, 270), (1390, 920, 240)):
        draw.polygon([(x, y - size), (x - size // 4, y), (x + size // 4, y)], "#24401c")
    return stroked


def main() -> None:
    """Write painted.png, forested.png (and what they are made from, *-before.png), and pasted.png."""
    with Editor() as editor:
        painting().save("painted-before.png")
        prompt = "A photo of mountains above a lake with a pine forest"
        editor.edit(painting(), prompt, strength=0.7, repeat=2, seed=7).save("painted.png")

        photo = Image.open(HERE / "mountains.jpg").convert("RGB")
        strokes = forested(photo)
        strokes.save("forested-before.png")
        drawn = (np.asarray(strokes) != np.asarray(photo)).any(2)  # on the command line: --changed-from
        soft = apply_tool(drawn.astype(np.float32), decode.load(strokes), "feather-out:16")
        prompt = "A photo of pine trees on a meadow below mountains"
        editor.edit(strokes, prompt, change_map=soft, strength=0.5, repeat=2, region="whole", seed=7).save(
            "forested.png"
        )

        pasted = Image.open(HERE / "castle.jpg").convert("RGB")
        cloud = photo.crop((130, 60, 600, 210)).resize((141, 45))
        pasted.paste(cloud, (222, 0))  # a crude paste: a piece of another sky
        pasted.save("pasted-before.png")
        around = apply_tool(None, decode.load(pasted), "box:222,0,141,45")
        around = apply_tool(around, decode.load(pasted), "feather-out:24")
        prompt = "A blue sky with a cloud above mountains"
        editor.edit(pasted, prompt, change_map=around, strength=0.45, match=1, seed=7).save("pasted.png")


if __name__ == "__main__":
    main()
