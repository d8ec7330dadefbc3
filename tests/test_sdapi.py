"""AUTOMATIC1111's img2img and txt2img: its fields to ours, by the translation alone and by an app in this process."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_picture
from http_app import Http, Server, eventually, file_of, server
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from overpaint import infotext
from overpaint.editor import Editor
from overpaint.errors import OverpaintError, ParameterError
from overpaint.metadata import read_recipe
from overpaint.params import EditParams
from overpaint.server.order import Order, Sent
from overpaint.server.problems import Problem, in_words_of
from overpaint.server.sdapi import FIELDS, MOST_PICTURES, THEIRS, What, checked
from overpaint.server.sdapi_orders import Pictures, orders_of

SMALL = {"steps": 2, "seed": 7, "width": 64, "height": 64}
IMAGE, MASK = Sent(b"picture"), Sent(b"mask")


def orders(told: dict[str, Any], what: What = "img2img", pictures: Pictures | None = None) -> tuple[list[Order], str]:
    v, warnings = checked(told, what)
    made, more = orders_of(v, what, pictures or Pictures((IMAGE,) if what == "img2img" else ()), "png")
    return made, "\n".join([*warnings, *more])


def order(told: dict[str, Any], mask: bool = False) -> Order:
    (made,), _ = orders(told, pictures=Pictures((IMAGE,), MASK if mask else None))
    return made


# ---- the translation -------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_as_there() -> None:
    params = {"prompt": "", "negative_prompt": "", "steps": 50, "guidance_scale": 7.0, "sampler": "euler"}
    params |= {"output_size": "512x512", "strength": 0.75, "fit": "stretch", "seed": 3}
    assert order({"seed": 3}) == Order(params=params, image=IMAGE)
    assert order({}).params["seed"] != order({}).params["seed"]  # drawn
    masked = order({}, mask=True)
    assert (masked.mask, masked.mask_by, masked.soft, masked.tools) == (MASK, "opacity", False, ())
    inpainting = {"fill": "blur", "region": "mask", "padding": None, "blend": 10, "output_size": None}
    assert {name: masked.params[name] for name in inpainting} == inpainting


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"denoising_strength": 0.3, "cfg_scale": "4"}, {"strength": 0.3, "guidance_scale": 4.0}),
        ({"sampler_name": "DPM++ 2M Karras"}, {"sampler": "dpm++2m", "schedule": "karras"}),
        ({"sampler_name": "Euler a", "scheduler": "automatic"}, {"sampler": "euler_a"}),
        ({"sampler_name": "k_euler_ancestral", "scheduler": "Simple"}, {"sampler": "euler_a", "schedule": "trailing"}),
        ({"sampler_index": "DDIM", "sampler_name": None, "scheduler": "exponential"}, {"schedule": "exponential"}),
        ({"seed": 5.0, "steps": "12"}, {"seed": 5, "steps": 12}),
        ({"seed": 5, "subseed": 9, "subseed_strength": 0.2}, {"seed": 5, "variation": "9,0.2"}),
        ({"width": 300, "height": 200, "resize_mode": 1}, {"output_size": "300x200", "fit": "crop"}),
        ({"resize_mode": 2}, {"fit": "pad"}),
    ],
)
def test_fields(told: dict[str, Any], expected: dict[str, Any]) -> None:
    params = order(told).params
    assert {name: params[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"mask_blur": 0}, {"blend": 0}),
        ({"mask_blur": 8}, {"blend": 20}),
        ({"mask_blur_x": 2, "mask_blur_y": 6}, {"blend": 15}),
        ({"mask_blur": 10_000}, {"blend": 512}),
        ({"inpainting_fill": 1}, {"fill": "original"}),
        ({"inpainting_fill": 3}, {"fill": "colour"}),
        ({"inpaint_full_res_padding": 32}, {"padding": 32, "output_size": None}),
        ({"inpaint_full_res": False, "width": 96}, {"region": "whole", "output_size": "96x512"}),
    ],
)
def test_fields_with_a_mask(told: dict[str, Any], expected: dict[str, Any]) -> None:
    params = order(told, mask=True).params
    assert {name: params[name] for name in expected} == expected


def test_sides_of_a_mask() -> None:
    assert order({"inpainting_mask_invert": 1}, mask=True).tools == ("invert",)
    assert order({"mask_round": False}, mask=True).soft


def test_several_pictures_have_seeds_in_a_row() -> None:
    made, _ = orders({"seed": 5, "batch_size": 2, "n_iter": 2})
    assert [one.params["seed"] for one in made] == [5, 6, 7, 8]
    made, _ = orders({"seed": 5, "subseed": 1, "subseed_strength": 0.5, "batch_size": 2})
    assert [(one.params["seed"], one.params["variation"]) for one in made] == [(5, "1,0.5"), (5, "2,0.5")]
    two = Pictures((Sent(b"1"), Sent(b"2")))
    made, _ = orders({"seed": 5, "batch_size": 2, "n_iter": 2}, pictures=two)
    assert [(one.image, one.params["seed"]) for one in made] == [
        *((two.images[0], 5), (two.images[1], 6), (two.images[0], 7), (two.images[1], 8))
    ]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"steps": "many"}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"send_images": "perhaps"}, "send_images"),
        ({"init_images": "x"}, "init_images"),
        ({"prompt": 5}, "prompt"),
        ({"alwayson_scripts": []}, "alwayson_scripts"),
        ({"resize_mode": 4}, "resize_mode"),
        ({"batch_size": 0}, "batch_size"),
        ({"n_iter": MOST_PICTURES + 1}, "n_iter"),
    ],
)
def test_a_value_that_is_not_taken_is_named(told: dict[str, Any], name: str) -> None:
    with pytest.raises(ParameterError, match=f"^{name}: "):
        orders(told)


def test_more_pictures_than_the_batch_has() -> None:
    with pytest.raises(ParameterError, match="init_images: are 2, more than batch_size, which is 1"):
        orders({}, pictures=Pictures((IMAGE, IMAGE)))
    with pytest.raises(Problem, match="init_images") as e:
        orders({}, pictures=Pictures())
    assert (e.value.status, e.value.detail) == (404, "Init image not found")


def test_what_is_not_used_is_named() -> None:
    _, warnings = orders({"s_churn": 0.5, "eta": 1.0, "tiling": True, "clip_skip": 2, "do_not_save_grid": True})
    assert [line.split()[0] for line in warnings.splitlines()] == ["clip_skip", "s_churn", "tiling"]
    assert "scheduler 'Turbo' is not known here" in orders({"scheduler": "Turbo"})[1]
    assert orders({"enable_hr": False, "hr_scale": 2, "denoising_strength": 0.7}, "txt2img")[1] == ""
    assert "enable_hr True" in orders({"enable_hr": True}, "txt2img")[1]


def test_what_the_client_sends_of_itself_is_no_warning() -> None:
    """webuiapi's own defaults (0.9.17), which it sends with every call."""
    told = {"image_cfg_scale": 1.5, "initial_noise_multiplier": 1, "styles": [], "seed_resize_from_h": 0, "eta": 1.0}
    told |= {"s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1, "restore_faces": False, "script_args": []}
    assert orders(told)[1] == ""


def test_a_text_fills_what_is_left_out() -> None:
    text = "a lake\nNegative prompt: rain\nSteps: 9, Sampler: Heun, Schedule type: Karras, CFG scale: 3, Seed: 4, "
    text += "Size: 96x64, Denoising strength: 0.4, Variation seed: 8, Variation seed strength: 0.1"
    params = order({"infotext": text, "steps": 3}).params
    expected = {"prompt": "a lake", "negative_prompt": "rain", "steps": 3, "guidance_scale": 3.0, "sampler": "heun"}
    expected |= {"schedule": "karras", "output_size": "96x64", "strength": 0.4, "fit": "stretch"}
    assert params == {**expected, "seed": 4, "variation": "8,0.1"}


def test_samplers_go_both_ways() -> None:
    for ours, theirs in infotext.SAMPLER_NAMES.items():
        assert order({"sampler_name": theirs}).params["sampler"] == ours
    with pytest.raises(Problem, match="known are DDIM") as e:
        order({"sampler_name": "Restart"})
    assert (e.value.status, e.value.detail) == (400, "Sampler not found")


# ---- an app in this process ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, editor: Editor) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("served"), editor, in_flight=4) as made:
        yield made


@pytest.fixture(scope="module")
def http(served: Server) -> Http:
    return served.http


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


PICTURE = random_picture(64, 64, 0)
HALF = np.zeros((64, 64), np.uint8)
HALF[:, 32:] = 255


def made(http: Http, what: str = "img2img", **told: Any) -> dict[str, Any]:
    fields = {**SMALL, "init_images": [text_of(file_of(PICTURE))], **told} if what == "img2img" else {**SMALL, **told}
    answer = http.post(f"/sdapi/v1/{what}", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def pixels(text: str) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text, validate=True))))


def test_an_edit_is_the_librarys(http: Http, editor: Editor) -> None:
    answer = made(http, prompt="a lake", sampler_name="Euler a", denoising_strength=0.6)
    expected = editor.edit(
        file_of(PICTURE),
        "a lake",
        negative_prompt="",
        strength=0.6,
        steps=2,
        seed=7,
        guidance_scale=7.0,
        sampler="euler_a",
        output_size="64x64",
        fit="stretch",
    )
    assert (pixels(answer["images"][0]) == expected.pixels).all()
    info = json.loads(answer["info"])
    recipe = read_recipe(base64.b64decode(answer["images"][0]))
    assert info["infotexts"] == [Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).text["parameters"]]  # type: ignore[attr-defined]
    assert (info["seed"], info["all_seeds"], info["sampler_name"]) == (7, [7], "Euler a")
    assert (info["width"], info["height"], info["denoising_strength"]) == (64, 64, 0.6)
    assert recipe.params.strength == 0.6
    assert answer["parameters"]["init_images"] is None
    assert answer["parameters"]["steps"] == 2
    assert answer["parameters"]["mask_blur_x"] == 4


@pytest.mark.parametrize("kind", ["grey", "opaque", "alpha", "inverted"])
def test_the_right_side_of_a_mask_is_edited(http: Http, kind: str) -> None:
    if kind == "alpha":  # black strokes on nothing: their opacity is what counts
        mask = np.zeros((64, 64, 4), np.uint8)
        mask[..., 3] = HALF
    else:
        mask = HALF if kind == "grey" else np.dstack([HALF, HALF, HALF, np.full_like(HALF, 255)])
    inverted = int(kind == "inverted")
    answer = made(http, mask=text_of(file_of(mask)), mask_blur=0, inpainting_mask_invert=inverted, prompt="fire")
    got = pixels(answer["images"][0])
    kept, changed = ((slice(32, None), slice(32)) if inverted else (slice(32), slice(32, None)))[:2]
    assert (got[:, kept] == PICTURE[:, kept]).all()
    assert (got[:, changed] != PICTURE[:, changed]).any(axis=2).mean() > 0.5


def test_outside_a_blurred_mask_nothing_changes(http: Http) -> None:
    got = pixels(made(http, mask=text_of(file_of(HALF)), mask_blur=4, prompt="fire")["images"][0])
    assert (got[:, :32] == PICTURE[:, :32]).all()


def test_only_masked_gives_the_picture_back_at_its_own_size(http: Http) -> None:
    wide = text_of(file_of(random_picture(128, 64, 1)))
    mask = text_of(file_of(np.tile(HALF, (1, 2))))
    own = made(http, init_images=[wide], mask=mask)
    whole = made(http, init_images=[wide], mask=mask, inpaint_full_res=False)
    assert pixels(own["images"][0]).shape == (64, 128, 3)
    assert pixels(whole["images"][0]).shape == (64, 64, 3)


def test_formats_and_what_is_sent(http: Http) -> None:
    answer = made(http, override_settings={"samples_format": "jpg", "eta_noise_seed_delta": 31337})
    assert base64.b64decode(answer["images"][0])[:2] == b"\xff\xd8"
    assert any("eta_noise_seed_delta" in warning for warning in answer["warnings"])
    assert json.loads(answer["info"])["warnings"] == answer["warnings"]
    assert made(http, send_images=False)["images"] == []
    sent = [text_of(file_of(PICTURE))]
    assert made(http, include_init_images=True, init_images=sent)["parameters"]["init_images"] == sent


def test_seeds_repeat_and_go_on(http: Http) -> None:
    three = made(http, "txt2img", prompt="a hill", batch_size=3)
    assert json.loads(three["info"])["all_seeds"] == [7, 8, 9]
    assert made(http, "txt2img", prompt="a hill", seed=8)["images"] == [three["images"][1]]
    around = made(http, "txt2img", prompt="a hill", subseed=3, subseed_strength=0.1, batch_size=2)
    info = json.loads(around["info"])
    assert (info["all_seeds"], info["all_subseeds"], info["subseed_strength"]) == ([7, 7], [3, 4], 0.1)
    assert len({three["images"][0], *around["images"]}) == 3


def test_strength_0_is_the_picture_itself(http: Http) -> None:
    answer = made(http, denoising_strength=0)
    assert (pixels(answer["images"][0]) == PICTURE).all()


@pytest.mark.parametrize(
    ("what", "told", "status", "detail"),
    [
        ("img2img", {"init_images": None}, 404, "Init image not found"),
        ("img2img", {"init_images": ["no base64!"]}, 400, "Invalid encoded image"),
        ("img2img", {"init_images": [5]}, 400, "Invalid encoded image"),
        ("img2img", {"init_images": ["http://127.0.0.1/x.png"]}, 400, "Requests not allowed"),
        ("img2img", {"init_images": [text_of(b"no picture")]}, 400, "init_images: "),
        ("img2img", {"mask": text_of(b"no picture")}, 400, "mask: "),
        ("img2img", {"denoising_strength": 2}, 400, "denoising_strength: is 2"),
        ("img2img", {"sampler_name": "Restart"}, 400, "Sampler not found"),
        ("img2img", {"script_name": "SD upscale"}, 422, "Script 'SD upscale' not found"),
        ("img2img", {"alwayson_scripts": {"ControlNet": {}}}, 422, "always on script ControlNet not found"),
        ("img2img", {"override_settings": {"sd_model_checkpoint": "sdxl"}}, 400, "model 'sdxl' not found"),
        ("txt2img", {"cfg_scale": 0.5}, 400, "cfg_scale: is 0.5"),
        ("txt2img", {"width": 0}, 400, "width: is "),
        ("txt2img", {"width": 100_000}, 400, "width: is "),
        ("txt2img", {"steps": 0}, 400, "steps: is 0"),
        ("txt2img", {"prompt": "x\0y"}, 400, "prompt: holds the control character"),
        ("txt2img", {"infotext": "x" * 2_000_000}, 400, "characters"),
    ],
)
def test_errors_are_said_as_there(http: Http, what: str, told: dict[str, Any], status: int, detail: str) -> None:
    fields = {**SMALL, "init_images": [text_of(file_of(PICTURE))], **told} if what == "img2img" else {**SMALL, **told}
    answer = http.post(f"/sdapi/v1/{what}", json=fields)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert set(said) == {"error", "detail", "body", "errors", "request_id"}
    assert detail in said["detail"]
    assert len(said["errors"]) > 10


@pytest.mark.case("X01")
def test_urls_of_this_machine_are_not_fetched(tmp_path: Path, editor: Editor) -> None:
    with server(tmp_path, editor, image_urls=True) as allowed:
        for url in ("http://127.0.0.1:1/x.png", "https://[::1]/x.png", "http://10.0.0.1/"):
            answer = allowed.http.post("/sdapi/v1/img2img", json={**SMALL, "init_images": [url]})
            assert answer.status_code == 400, answer.text
            assert answer.json()["detail"] == "Request to local resource not allowed"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"steps": NaN}', b'{"steps": 1, "steps": 2}', b"\xff"])
def test_what_is_no_json_is_400(http: Http, body: bytes) -> None:
    answer = http.post("/sdapi/v1/txt2img", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"]


VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-5, 70), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=9)),
    *(st.just([]), st.just({}), st.just({"samples_format": 5}), st.sampled_from(list(infotext.SAMPLER_NAMES.values()))),
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(list(FIELDS)), VALUES, max_size=8), st.booleans())
def test_whatever_is_asked_is_taken_or_refused_by_name(told: dict[str, Any], mask: bool) -> None:
    try:
        made, _ = orders(told, pictures=Pictures((IMAGE,), MASK if mask else None))
        for one in made:
            EditParams(**one.params)
    except OverpaintError as e:
        said = in_words_of(e, THEIRS)
        assert said.status in (400, 404, 422)
        assert said.param in {*FIELDS, None}, said


@pytest.mark.case("S09")
def test_nobody_stops_or_sees_anothers_calls(served: Server) -> None:
    app, headers = served.with_keys("anna", "bert")
    client = Http(app)
    long = {**SMALL, "prompt": "annas secret", "steps": 1000, "force_task_id": "mine"}
    try:
        running = client.later("POST", "/sdapi/v1/txt2img", json=long, headers=headers["anna"])
        far = eventually(lambda: _under_way(client, headers["anna"]))
        assert far["state"]["job_count"] == 1
        assert 0 < far["progress"] < 1
        assert far["state"]["job"] == "mine"
        seen = eventually(lambda: client.get("/sdapi/v1/progress", headers=headers["anna"]).json()["current_image"])
        assert pixels(seen).ndim == 3
        theirs = client.get("/sdapi/v1/progress", headers=headers["bert"])
        assert (theirs.json()["progress"], theirs.json()["state"]["job_count"]) == (0, 0)
        assert theirs.json()["current_image"] is None
        assert client.get("/internal/pending-tasks", headers=headers["bert"]).json() == {"size": 0, "tasks": []}
        asked = {"id_task": "mine", "live_preview": True}
        assert client.post("/internal/progress", json=asked, headers=headers["bert"]).json()["active"] is False
        assert client.post("/sdapi/v1/interrupt", headers=headers["bert"]).json() == {}
        assert client.post("/sdapi/v1/skip", headers=headers["bert"]).json() is None
        own = client.post("/internal/progress", json=asked, headers=headers["anna"]).json()
        assert (own["active"], own["completed"]) == (True, False)
        assert own["live_preview"].startswith("data:image/png;base64,")
        assert client.get("/internal/pending-tasks", headers=headers["anna"]).json()["tasks"] == ["mine"]
        assert client.post("/sdapi/v1/interrupt", headers=headers["anna"]).json() == {}
        answer = running.result(30)
        assert answer.status_code == 200
        assert answer.json()["images"] == []
        assert "interrupted: 0 of 1 pictures were made" in answer.json()["warnings"]
        assert client.get("/sdapi/v1/progress", headers=headers["anna"]).json()["state"]["job_count"] == 0
        own = client.post("/internal/progress", json=asked, headers=headers["anna"]).json()
        assert (own["active"], own["queued"], own["completed"]) == (False, False, True)
    finally:
        client.close()


def _under_way(client: Http, headers: dict[str, str]) -> dict[str, Any] | None:
    far: dict[str, Any] = client.get("/sdapi/v1/progress", headers=headers).json()
    return far if far["progress"] > 0 else None
