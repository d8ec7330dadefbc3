"""Change maps: a night sky by a gradient, a cloud removed, and two layers with prompts of their own."""

from pathlib import Path

import numpy as np

from overpaint import Editor, Layer, decode
from overpaint.maps import apply_tool

HERE = Path(__file__).parent


def main() -> None:
    """Write night-sky.png, removed.png and layers.png."""
    photo = decode.load(HERE / "mountains.jpg")  # 1536 by 1152
    with Editor() as editor:
        above = apply_tool(None, photo, "linear:0,300,0,760")  # white at the top, black from row 760 on
        prompt = "Same scene at night with stars, mountains above a meadow"
        editor.edit(photo, prompt, preset="scene", change_map=above, seed=7).save("night-sky.png")

        cloud = apply_tool(None, photo, "select:363,302,250,170")  # two points on it
        cloud = apply_tool(cloud, photo, "grow:20")
        prompt = "A clear deep blue sky above mountains"
        editor.edit(photo, prompt, preset="remove", change_map=cloud, seed=7).save("removed.png")

        castle = decode.load(HERE / "castle.jpg")  # 512 by 512
        left = apply_tool(None, castle, "linear:180,0,330,0")
        sunset = Layer(left, "Same scene at sunset, a castle by a mountain lake")
        night = Layer(np.float32(1) - left, "Same scene at night with stars, a castle by a mountain lake")
        editor.edit(castle, preset="scene", layers=[sunset, night], seed=7).save("layers.png")


if __name__ == "__main__":
    main()
