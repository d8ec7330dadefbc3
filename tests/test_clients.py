"""Stock clients against a live server: ``webuiapi`` makes pictures, and one edit comes out alike through every API.

The other calls of ``webuiapi`` are in ``test_sdapi_lists`` and ``test_sdapi_extras``, those of ``openai`` in
``test_openai``.
"""

import base64
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import webuiapi
from conftest import random_picture
from http_app import file_of
from live import LiveServer
from openai import OpenAI
from PIL import Image

from overpaint.editor import Editor
from overpaint.picture import Pixels

KEY = "a-key-of-twenty-letters"
PICTURE = random_picture(128, 96, 3)
MASK = np.zeros((96, 128), np.uint8)
MASK[24:72, 64:] = 255
QUICK: dict[str, Any] = {"prompt": "a red barn", "steps": 3, "seed": 11, "width": 128, "height": 96}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("served")
    keys = folder / "keys"
    keys.write_text(f"somebody:{KEY}\n")
    keys.chmod(0o600)
    options = ("--key-file", str(keys), "--device", "cpu", "--dtype", "float32")
    with LiveServer(folder, *options) as server:
        server.headers = {"authorization": f"Bearer {KEY}"}
        yield server.wait_ready()


@pytest.fixture(scope="module")
def api(served: LiveServer) -> webuiapi.WebUIApi:
    port = int(served.url.rpartition(":")[2])
    return webuiapi.WebUIApi(port=port, username="somebody", password=KEY)


def shown(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels)


def test_webuiapi_edits_a_picture(api: webuiapi.WebUIApi) -> None:
    result = api.img2img(images=[shown(PICTURE)], denoising_strength=0.5, **QUICK)
    assert result.image.size == (128, 96)
    assert result.info["seed"] == 11
    assert result.info["warnings"] == result.json["warnings"]
    assert not any("not used" in warning for warning in result.info["warnings"])
    assert "Denoising strength: 0.5" in result.image.text["parameters"]
    again = api.img2img(images=[shown(PICTURE)], denoising_strength=0.5, **QUICK)
    assert again.json["images"] == result.json["images"]


def test_webuiapi_paints_in_a_mask(api: webuiapi.WebUIApi) -> None:
    result = api.img2img(images=[shown(PICTURE)], mask_image=shown(MASK), inpainting_fill=1, **QUICK)
    got = np.asarray(result.image)
    assert (got[MASK == 0] == PICTURE[MASK == 0]).all()
    assert (got[MASK > 0] != PICTURE[MASK > 0]).any(axis=1).mean() > 0.5


def test_webuiapi_makes_pictures(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(batch_size=2, **QUICK)
    assert [image.size for image in result.images] == [(128, 96)] * 2
    assert result.info["all_seeds"] == [11, 12]
    one = api.txt2img(**{**QUICK, "seed": 12})
    assert one.json["images"] == result.json["images"][1:]


def test_mistakes_are_the_clients_own_exceptions(served: LiveServer, api: webuiapi.WebUIApi) -> None:
    with pytest.raises(RuntimeError, match="Sampler not found") as e:
        api.txt2img(sampler_name="Restart", **QUICK)
    assert e.value.args[0] == 400
    port = int(served.url.rpartition(":")[2])
    stranger = webuiapi.WebUIApi(port=port, username="somebody", password="no-such-key")
    with pytest.raises(RuntimeError, match="API key") as e:
        stranger.txt2img(**QUICK)
    assert e.value.args[0] == 401


def test_webuiapi_watches_and_interrupts(api: webuiapi.WebUIApi) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(api.txt2img, **{**QUICK, "steps": 1000})
        end = time.monotonic() + 60
        while api.get_progress()["progress"] == 0:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert api.interrupt() == {}
        assert running.result(60).images == []
    api.util_wait_for_ready(check_interval=0.1)
    assert api.skip() is None


def test_one_edit_is_the_same_through_every_api(served: LiveServer, api: webuiapi.WebUIApi, editor: Editor) -> None:
    """Library, our own API, AUTOMATIC1111's and OpenAI's, with a mask said as each of them has it."""
    image, prompt, seed = file_of(PICTURE), "a red barn", 11
    ours: dict[str, Any] = {"strength": 0.6, "steps": 4, "guidance_scale": 5.0, "sampler": "euler", "fill": "original"}
    ours |= {"region": "whole", "blend": 10, "fit": "stretch"}
    by_library = editor.edit(image, prompt, seed=seed, change_map=MASK, output_size=(128, 96), **ours).pixels

    native = {**ours, "prompt": prompt, "seed": seed, "output_size": "128x96", "wait": True}
    native |= {"image": base64.b64encode(image).decode(), "mask": base64.b64encode(file_of(MASK)).decode()}
    by_ours = decoded(served.ask_json("/v1/edits", native).body)

    by_theirs = api.img2img(
        images=[shown(PICTURE)],
        mask_image=shown(MASK),
        denoising_strength=0.6,
        sampler_name="Euler",
        cfg_scale=5.0,
        inpainting_fill=1,
        inpaint_full_res=False,
        mask_blur=4,
        **{**QUICK, "steps": 4},
    )

    holes = np.dstack([PICTURE, 255 - MASK])  # what is transparent is edited, whatever its colour
    with OpenAI(base_url=f"{served.url}/v1", api_key=KEY) as client:
        answer = client.images.edit(
            image=image, mask=file_of(holes), prompt=prompt, size="128x96", extra_body={**ours, "seed": seed}
        )
    assert answer.data is not None
    by_openai = decoded(base64.b64decode(answer.data[0].b64_json or ""))

    for way, got in (("ours", by_ours), ("A1111's", np.asarray(by_theirs.image)), ("OpenAI's", by_openai)):
        assert (got == by_library).all(), way
    assert (by_library[MASK == 0] == PICTURE[MASK == 0]).all()


def decoded(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)))
