"""Edits through the clients of two other APIs: `overpaint serve` in another terminal, then this with its URL and key.

It needs `pip install openai webuiapi`.
"""

import base64
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import webuiapi
from openai import OpenAI
from PIL import Image

from overpaint import decode
from overpaint.maps import apply_tool

HERE = Path(__file__).parent


def by_openai(url: str, key: str, photo: Path) -> None:
    """Our own parameters go along as ``extra_body``; ``size`` is that of the result, here the photo's own."""
    with OpenAI(base_url=f"{url}/v1", api_key=key) as client, photo.open("rb") as image:
        answer = client.images.edit(
            image=image,
            prompt="Same scene at night, mountains above a meadow",
            extra_body={"preset": "scene", "seed": 7},
        )
    assert answer.data is not None
    Path("night-openai.png").write_bytes(base64.b64decode(answer.data[0].b64_json or ""))


def by_webuiapi(url: str, key: str, photo: Path) -> None:
    """In a mask, white = edit: snow on the meadow, and every pixel outside the mask stays what it is."""
    picture = decode.load(photo)
    meadow = apply_tool(None, picture, "select:800,900,1200,950")  # two points on it
    told = urlsplit(url)
    api = webuiapi.WebUIApi(host=told.hostname, port=told.port, username="me", password=key)
    result = api.img2img(
        [Image.fromarray(picture.pixels)],
        mask_image=Image.fromarray(np.uint8(255 * meadow)),
        prompt="Same scene in winter with snow, a meadow below mountains",
        denoising_strength=0.5,
        inpainting_fill=1,  # begin with the picture as it is
        inpaint_full_res=False,
        width=picture.size[0],
        height=picture.size[1],
        seed=7,
    )
    result.image.save("snow-webuiapi.png")
    print(*result.info["warnings"], sep="\n")


def main(url: str = "http://127.0.0.1:7860", key: str = "none") -> None:
    for edit in (by_openai, by_webuiapi):
        edit(url.rstrip("/"), key, HERE / "mountains.jpg")


if __name__ == "__main__":
    main(*sys.argv[1:])
