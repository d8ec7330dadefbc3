"""AUTOMATIC1111's requests that are no edits: pictures enlarged, what a file says, what is in a picture."""

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import webuiapi
from conftest import random_picture
from corpus import broken, chunk, corpus, deep, saved, smooth, with_chunk, zlib
from http_app import SMALL, Http, Server, file_of, picture, server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live import LiveServer
from PIL import Image, PngImagePlugin

from overpaint.decode import load
from overpaint.describe import describe
from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.errors import ParameterError, RecipeError
from overpaint.infotext import _PAIR, MAX_TEXT, SAMPLER_NAMES, parse
from overpaint.metadata import MAX_TEXTS, read_texts
from overpaint.picture import Pixels, resize
from overpaint.recipe import from_json
from overpaint.server import sdapi_extras
from overpaint.server.sdapi_extras import MOST_IMAGES, Upscaling, parameters_in, size_after, upscaled

API = "/sdapi/v1"
ODD = random_picture(37, 23)
TEXT = (
    'a lake, "blue"\nat noon\nNegative prompt: red\nSteps: 30, Sampler: Euler a, Seed: 1, Size: 512x768, Note: "a, b"'
)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, editor: Editor) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("data"), editor) as served:
        yield served


@pytest.fixture(scope="module")
def http(there: Server) -> Http:
    return there.http


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


SENT = in_base64(picture())


def asked(http: Http, path: str, told: Any, status: int = 200) -> dict[str, Any]:
    answer = http.post(f"{API}/{path}", json=told)
    return checked(answer, status)


def checked(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:500]
    if status != 200:
        assert set(answer.json()) == {"error", "detail", "body", "errors", "request_id"}
    return dict(answer.json())


def tagged(*texts: tuple[str, str]) -> bytes:
    """A PNG with these texts."""
    info = PngImagePlugin.PngInfo()
    for name, text in texts:
        info.add_itxt(name, text)
    return saved(smooth(), "PNG", pnginfo=info)


def pixels_of(text: str) -> Pixels:
    return load(base64.b64decode(text)).pixels


# ---- what a file says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_our_own_results_give_back_what_they_were_made_with(http: Http, editor: Editor, format: str) -> None:
    fields = {**SMALL, "prompt": 'a lake, "blue"', "negative_prompt": "rain", "format": format, "wait": True}
    made = http.post("/v1/edits", json={**fields, "image": in_base64(picture())})
    told = asked(http, "png-info", {"image": in_base64(made.content)})
    assert told["info"].startswith('a lake, "blue"\nNegative prompt: rain\nSteps: 3, ')
    parameters = told["parameters"]
    assert (parameters["Prompt"], parameters["Negative prompt"]) == ('a lake, "blue"', "rain")
    assert (parameters["Steps"], parameters["Seed"], parameters["Model"]) == ("3", "7", "embedded")
    assert (parameters["Size-1"], parameters["Size-2"]) == ("64", "64")
    assert parameters["Model hash"] == editor.model.hash[:10]
    assert parameters["Sampler"] in SAMPLER_NAMES.values()
    if format == "png":
        (recipe,) = from_json(told["items"]["overpaint"])
        assert (recipe.params.prompt, recipe.params.seed) == ('a lake, "blue"', 7)
        assert set(told["items"]) == {"overpaint", "XML:com.adobe.xmp"}
    else:
        assert "overpaint:recipe" in told["items"]["xmp"]


def test_a_text_of_another_program(http: Http) -> None:
    told = asked(http, "png-info", {"image": in_base64(tagged(("parameters", TEXT), ("workflow", "{}"), ("ü", "湖")))})
    assert told["info"] == TEXT
    assert told["items"] == {"workflow": "{}", "ü": "湖"}
    assert told["parameters"] == {
        "Prompt": 'a lake, "blue"\nat noon',
        "Negative prompt": "red",
        "Steps": "30",
        "Sampler": "Euler a",
        "Seed": "1",
        "Size-1": "512",
        "Size-2": "768",
        "Note": "a, b",
    }


def test_a_file_that_says_nothing(http: Http) -> None:
    for name in ("PNG RGB", "PNG RGBA", "JPEG Adobe RGB", "moving GIF", "tifffile < planes"):
        told = asked(http, "png-info", {"image": f"data:image/png;base64,{in_base64(corpus()[name])}"})
        assert (told["info"], told["parameters"]) == ("", {}), name
    assert asked(http, "png-info", {"image": in_base64(picture())}) == {"info": "", "items": {}, "parameters": {}}
    noted = saved(smooth(), "GIF", comment=b"made by hand")
    assert asked(http, "png-info", {"image": in_base64(noted)})["items"] == {"comment": "made by hand"}


def test_text_behind_the_pixels_and_tiff() -> None:
    plain = saved(smooth(), "PNG")
    late = plain[:-12] + chunk(b"tEXt", b"parameters\0" + TEXT.encode()) + plain[-12:]
    assert read_texts(late).parameters == TEXT
    tiff = saved(smooth(), "TIFF", description=TEXT)
    assert read_texts(tiff).parameters == TEXT
    assert read_texts(tiff).items == {}


@pytest.mark.case("X14")
def test_hostile_texts_are_data(http: Http) -> None:
    for text in (
        "<script>alert(1)</script>\nSteps: 1, Sampler: \x1b[2J, CFG scale: 2, Seed: 3, Model: __import__('os')",
        "a" * 900_000,
        " " * 900_000 + "a",
        '"' * 50_000 + "Steps: 1",
        "[" * 500_000,
        "Negative prompt:" * 50_000,
        "\0\u202e\r\n",
    ):
        begin = time.monotonic()
        told = asked(http, "png-info", {"image": in_base64(tagged(("parameters", text), ("a", text)))})
        assert told["info"] == told["items"]["a"] == text
        assert time.monotonic() - begin < 5
    many = asked(http, "png-info", {"image": in_base64(tagged(*((f"name {i}", "x") for i in range(500))))})
    assert len(many["items"]) == MAX_TEXTS


def test_texts_that_are_too_long(http: Http) -> None:
    whole = in_base64(tagged(("parameters", "a" * (MAX_TEXT + 1))))
    told = asked(http, "png-info", {"image": whole}, 400)
    assert "has 1,000,001 characters, at most 1,000,000 are read" in told["errors"]
    items = asked(
        http, "png-info", {"image": in_base64(tagged(("a", "x" * 3_000_000), ("b", "y" * 3_000_000), ("c", "z")))}
    )
    assert [*items["items"]] == ["a", "c"]  # what finds no room is left out, what follows is not


def test_a_text_that_unpacks_to_a_bomb(http: Http) -> None:
    bomb = zlib.compress(b"a" * 50_000_000)
    for name, body in ((b"zTXt", b"parameters\0\0"), (b"iTXt", b"parameters\0\1\0\0\0")):
        data = with_chunk(saved(smooth(), "PNG"), name, body + bomb)
        assert asked(http, "png-info", {"image": in_base64(data)}, 400)["error"] == "invalid_image"


def test_what_a_text_holds_is_found_as_ever_but_in_one_reading() -> None:
    begin = time.monotonic()
    for text in ("a" * MAX_TEXT, "- " * (MAX_TEXT // 2), "a:" * (MAX_TEXT // 2), 'aa:"\\"' * (MAX_TEXT // 6)):
        parse(text)
    assert time.monotonic() - begin < 5
    with pytest.raises(RecipeError, match="at most"):
        parse("a" * (MAX_TEXT + 1))
    assert parameters_in("only a prompt, with: a colon") == {
        "Prompt": "only a prompt, with: a colon",
        "Negative prompt": "",
    }


@given(st.text('aB1 -/:,"\\\t._é', max_size=30))
def test_pairs_are_those_of_the_pattern_that_it_was(text: str) -> None:
    before = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
    assert [(a.strip(), b) for a, b in _PAIR.findall(text)] == [(a.strip(), b) for a, b in before.findall(text)]


# ---- what is no picture ----------------------------------------------------------------------------------------------

POSTS = ("png-info", "interrogate", "extra-single-image")


@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_base64_is_refused_in_their_words(http: Http, path: str) -> None:
    for text in ("no base64!", "abc", "data:text/html;base64,AAAA", "ü", None, 5, [], {"a": 1}):
        assert asked(http, path, {"image": text}, 400)["detail"] == "Invalid encoded image", text
    assert asked(http, path, {}, 400)["detail"] == "Invalid encoded image"
    for url in ("http://127.0.0.1/x.png", "HTTPS://example.com/x.png"):
        told = asked(http, path, {"image": url}, 400)
        assert (told["error"], told["detail"]) == ("image_urls_off", "Requests not allowed")


@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_picture_is_refused_in_ours(http: Http, path: str) -> None:
    for name in ("empty", "PDF", "SVG", "JPEG without end"):
        if path == "png-info" and name == "JPEG without end":
            continue  # its texts can be read
        told = asked(http, path, {"image": in_base64(broken()[name])}, 400)
        assert told["error"] == "invalid_image", name
        assert told["detail"] == told["errors"], name
    assert asked(http, path, {"image": in_base64(broken()["PNG 15000x15000"])}, 400)["error"] == "invalid_image"


@pytest.mark.parametrize("path", [*POSTS, "extra-batch-images"])
def test_bodies_that_are_none(http: Http, path: str) -> None:
    for body in ("", "[1]", "{", '{"image": NaN}', "[" * 100_000, '{"upscaling_resize": 1e999}', '{"a": 1, "a": 1}'):
        checked(http.post(f"{API}/{path}", content=body, headers={"content-type": "application/json"}), 400)
    checked(http.post(f"{API}/{path}", content=b"{}", headers={"content-type": "text/plain"}), 415)
    checked(http.post(f"{API}/{path}", files={"image": picture()}), 415)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["image", "imageList", "model", "sd_model_checkpoint", "upscaler_2", *Upscaling.model_fields])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*POSTS, "extra-batch-images", "options"]), st.dictionaries(NAMES, VALUES), st.booleans())
def test_whatever_is_sent_is_never_our_fault(http: Http, path: str, told: dict[str, Any], with_picture: bool) -> None:
    if with_picture:
        told |= {"image": SENT, "imageList": [{"data": SENT}], "upscaler_1": "Lanczos"}
    body = json.dumps(told)
    answer = http.post(f"{API}/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text


# ---- enlarged --------------------------------------------------------------------------------------------------------


def enlarged(http: Http, data: bytes = file_of(ODD), **fields: Any) -> tuple[Pixels, str]:
    told = asked(http, "extra-single-image", {"image": in_base64(data), "upscaler_1": "Lanczos", **fields})
    assert set(told) == {"html_info", "image"}
    return pixels_of(told["image"]), told["html_info"]


def test_enlarged_by_a_factor(http: Http) -> None:
    made, words = enlarged(http, upscaling_resize=2)
    assert np.array_equal(made, resize(ODD, (74, 46)))
    assert words == "<p>Postprocess upscale by: 2, Postprocess upscaler: Lanczos</p>"
    made, words = enlarged(http, upscaler_1="Nearest", upscaling_resize=3)
    assert np.array_equal(made, ODD.repeat(3, 0).repeat(3, 1))
    assert "Postprocess upscaler: Nearest" in words
    assert enlarged(http, upscaling_resize=0.5)[0].shape == (12, 18, 3)
    assert enlarged(http, upscaler_1="Nearest", upscaling_resize=0.001)[0].shape == (1, 1, 3)
    assert enlarged(http, upscaling_resize="2", resize_mode=None, unknown=[1])[0].shape == (46, 74, 3)  # as pydantic


def test_enlarged_to_a_size(http: Http) -> None:
    to = {"resize_mode": 1, "upscaling_resize_w": 60, "upscaling_resize_h": 60}
    made, words = enlarged(http, **to)
    assert np.array_equal(made, resize(ODD[:, 7:30], (60, 60)))  # filled, and cut off in the middle
    assert words == "<p>Postprocess upscale to: 60x60, Postprocess upscaler: Lanczos</p>"
    assert enlarged(http, **to, upscaling_crop=False)[0].shape == (60, 97, 3)  # filled, and nothing cut off, as there
    near = enlarged(http, **to, upscaler_1="Nearest")[0]
    image = Image.fromarray(ODD[:, 7:30]).resize((60, 60), Image.Resampling.NEAREST)
    assert np.array_equal(near, np.asarray(image))


def test_no_upscaler_leaves_the_picture_as_it_is(http: Http) -> None:
    """Whatever else is asked, as there; and it is the default."""
    data = in_base64(file_of(ODD))
    for fields in ({}, {"upscaler_1": None}, {"resize_mode": 1, "upscaler_2": "gone", "upscaler_1": "None"}):
        told = asked(http, "extra-single-image", {"image": data, "upscaling_resize": 3, **fields})
        assert np.array_equal(pixels_of(told["image"]), ODD)
        assert told["html_info"] == "<p></p>"


def test_two_upscalers(http: Http) -> None:
    first, second = resize(ODD, (74, 46)).astype(float), ODD.repeat(2, 0).repeat(2, 1).astype(float)
    made, words = enlarged(http, upscaler_2="Nearest", extras_upscaler_2_visibility=0.25)
    assert np.abs(made - (0.75 * first + 0.25 * second)).max() <= 0.51
    assert "Postprocess upscaler 2: Nearest" in words
    assert np.array_equal(enlarged(http, upscaler_2="Nearest", extras_upscaler_2_visibility=1)[0], second)
    assert np.array_equal(enlarged(http, upscaler_2="Nearest")[0], first)


@pytest.mark.parametrize("x", [smooth(4), deep(3), deep(4)], ids=["alpha", "16 bits", "both"])
def test_alpha_and_16_bits_stay(http: Http, x: Pixels) -> None:
    data = encode(x, "PNG")
    for upscaler in ("Lanczos", "Nearest"):
        made, _ = enlarged(http, data, upscaler_1=upscaler)
        assert (made.dtype, made.shape) == (x.dtype, (2 * x.shape[0], 2 * x.shape[1], x.shape[2]))
        assert abs(float(made.mean()) - float(x.mean())) < 0.02 * np.iinfo(x.dtype).max


def test_networks_that_there_are_not_are_told(http: Http) -> None:
    _, words = enlarged(http, gfpgan_visibility=1, codeformer_visibility=0.5, codeformer_weight=0.5)
    assert "GFPGAN is not applied" in words
    assert "CodeFormer is not applied" in words
    assert "applied" not in enlarged(http)[1]


def test_an_unknown_upscaler_is_refused_in_their_words(http: Http) -> None:
    data = in_base64(picture())
    for fields, name in (
        ({"upscaler_1": "R-ESRGAN 4x+"}, "R-ESRGAN 4x+"),
        ({"upscaler_1": ""}, ""),
        ({"upscaler_1": "lanczos"}, "lanczos"),
        ({"upscaler_1": "Lanczos", "upscaler_2": "LDSR"}, "LDSR"),
        ({"upscaler_1": "\x1b[2J<b>"}, "\\x1b[2J<b>"),
    ):
        told = asked(http, "extra-single-image", {"image": data, **fields}, 400)
        assert (told["error"], told["detail"]) == ("unknown_upscaler", f"could not find upscaler named {name}")
        assert "None, Lanczos, Nearest" in told["errors"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resize_mode", 2),
        ("resize_mode", "x"),
        ("upscaling_resize", 0),
        ("upscaling_resize", -1),
        ("upscaling_resize", 1001),
        ("upscaling_resize", 10**300),
        ("upscaling_resize", [2]),
        ("upscaling_resize_w", 0),
        ("upscaling_resize_h", 10**300),
        ("upscaling_resize_w", 1.5),
        ("upscaling_crop", "perhaps"),
        ("upscaler_1", 5),
        ("extras_upscaler_2_visibility", 1.01),
        ("gfpgan_visibility", {"a": 1}),
    ],
)
def test_fields_that_are_not_what_they_should_be(http: Http, name: str, value: Any) -> None:
    told = asked(http, "extra-single-image", {"image": in_base64(picture()), name: value}, 400)
    assert told["error"] == "invalid_parameter"
    assert told["errors"].startswith(f"{name}: ")


def test_results_that_are_too_large(http: Http) -> None:
    data = in_base64(picture())
    for fields in (
        {"upscaling_resize": 1000},
        {"upscaling_resize": 100},  # 6400 x 6400
        {"resize_mode": 1, "upscaling_resize_w": 16384, "upscaling_resize_h": 16384},
        {"resize_mode": 1, "upscaling_resize_w": 16384, "upscaling_resize_h": 1, "upscaling_crop": False},
    ):
        told = asked(http, "extra-single-image", {"image": data, "upscaler_1": "Nearest", **fields}, 400)
        assert "at most" in told["errors"]
    thin = in_base64(file_of(np.zeros((16000, 1, 3), np.uint8)))
    wide = {"resize_mode": 1, "upscaling_resize_w": 1000, "upscaling_resize_h": 1}
    made = asked(http, "extra-single-image", {"image": thin, "upscaler_1": "Nearest", **wide})
    assert pixels_of(made["image"]).shape == (1, 1000, 3)  # what is cut off is never made
    asked(http, "extra-single-image", {"image": thin, "upscaler_1": "Nearest", **wide, "upscaling_crop": False}, 400)


def test_sizes() -> None:
    for asked_for, size in (
        ({"upscaling_resize": 1.15}, (115, 57)),
        ({"resize_mode": 1, "upscaling_resize_w": 200, "upscaling_resize_h": 50}, (200, 50)),
        ({"resize_mode": 1, "upscaling_resize_w": 200, "upscaling_resize_h": 50, "upscaling_crop": False}, (200, 100)),
        ({"resize_mode": 1, "upscaling_resize_w": 1, "upscaling_resize_h": 1, "upscaling_crop": False}, (2, 1)),
    ):
        fields = sdapi_extras.read(Upscaling, {"upscaler_1": "Lanczos", **asked_for})
        assert size_after(fields, (100, 50)) == size
        x = np.zeros((50, 100, 3), np.uint8)
        assert upscaled(x, fields).shape == (size[1], size[0], 3)
    with pytest.raises(ParameterError, match="at most 32 are sent"):
        sdapi_extras.check_room([(4000, 4000)] * 3)


def test_a_batch(http: Http) -> None:
    data = [file_of(ODD), encode(deep(4), "PNG"), corpus()["JPEG Adobe RGB"]]
    images = [{"data": in_base64(one), "name": f"../{i}.png"} for i, one in enumerate(data)]
    told = asked(http, "extra-batch-images", {"imageList": images, "upscaler_1": "Nearest"})
    assert set(told) == {"html_info", "images"}
    for made, one in zip(told["images"], data, strict=True):
        assert np.array_equal(pixels_of(made), load(one).pixels.repeat(2, 0).repeat(2, 1))
    assert "Nearest" in told["html_info"]


def test_batches_that_are_none(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"data": in_base64(picture()), "name": "a"}
    for images in (None, [], "x", [1], [{}], [{"data": 5, "name": "a"}], [one] * (MOST_IMAGES + 1)):
        told = asked(http, "extra-batch-images", {"imageList": images}, 400)
        assert told["errors"].startswith("imageList"), images
    wrong = asked(http, "extra-batch-images", {"imageList": [one, {"data": "no base64!", "name": "b"}]}, 400)
    assert wrong["detail"] == "Invalid encoded image"
    nothing = {"data": in_base64(b"nothing"), "name": "b"}
    wrong = asked(http, "extra-batch-images", {"imageList": [one, nothing]}, 400)
    assert (wrong["error"], wrong["errors"].startswith("imageList.1.data")) == ("invalid_image", True)
    monkeypatch.setattr(sdapi_extras, "MOST_PIXELS", 30_000)
    both = asked(http, "extra-batch-images", {"imageList": [one] * 2, "upscaler_1": "Nearest"}, 400)
    assert "at most" in both["errors"]  # each of 128 x 128
    asked(http, "extra-batch-images", {"imageList": [one], "upscaler_1": "Nearest"})


# ---- what is in a picture --------------------------------------------------------------------------------------------


def test_interrogate_gives_the_draft(http: Http) -> None:
    data = picture(seed=3)
    for fields in ({}, {"model": "clip"}):
        told = asked(http, "interrogate", {"image": in_base64(data), **fields})
        assert told == {"caption": describe(data).prompt}


def test_interrogate_by_others(http: Http) -> None:
    for model in ("deepdanbooru", "", None, 5, ["clip"], "\ud800"):
        body = json.dumps({"image": in_base64(picture()), "model": model})
        answer = http.post(f"{API}/interrogate", content=body, headers={"content-type": "application/json"})
        assert checked(answer, 404)["detail"] == "Model not found"


# ---- the stock client ------------------------------------------------------------------------------------------------


def test_the_stock_client(tmp_path: Path) -> None:
    options = ("--device", "cpu", "--dtype", "float32", "--threads", "1", "--no-warm-up")
    with LiveServer(tmp_path, *options) as live:
        live.wait_ready()
        api = webuiapi.WebUIApi(baseurl=f"{live.url}{API}")
        assert not any((api.has_controlnet, api.has_adetailer, api.has_animatediff))
        check_lists(api)
        check_pictures(api)


def check_lists(api: webuiapi.WebUIApi) -> None:
    lists = ("sd_models", "samplers", "schedulers", "upscalers", "latent_upscale_modes", "sd_vae", "loras")
    lists += ("hypernetworks", "face_restorers", "realesrgan_models", "prompt_styles")
    for name in lists:
        assert isinstance(getattr(api, f"get_{name}")(), list), name
    for name in ("options", "cmd_flags", "scripts", "embeddings", "memory"):
        assert "detail" not in getattr(api, f"get_{name}")(), name
    assert api.refresh_checkpoints() is None
    (title,) = api.util_get_model_names()
    assert api.util_get_current_model() == title
    assert "Euler a" in api.util_get_sampler_names()
    assert "automatic" in api.util_get_scheduler_names()
    api.util_set_model("embedded")
    assert api.set_options({"sd_model_checkpoint": title}) is None
    assert api.set_options(api.get_options()) is None
    assert api.set_options({"sd_model_checkpoint": "other"})["detail"] == "model 'other' not found"


def check_pictures(api: webuiapi.WebUIApi) -> None:
    image = Image.fromarray(ODD)
    image.info["parameters"] = TEXT
    told = api.png_info(image)
    assert (told.info, told.parameters["Seed"]) == (TEXT, "1")
    made = api.extra_single_image(image, upscaler_1=webuiapi.Upscaler.Lanczos, upscaling_resize=2)
    assert made.image.size == (74, 46)
    assert "Lanczos" in made.info
    many = api.extra_batch_images([image, image], upscaler_1="Nearest", upscaling_resize=3)
    assert [one.size for one in many.images] == [(111, 69)] * 2
    assert isinstance(api.interrogate(image).info, str)
    with pytest.raises(RuntimeError, match="could not find upscaler named LDSR"):
        api.extra_single_image(image, upscaler_1=webuiapi.Upscaler.LDSR)
