"""Requests' bodies: JSON and forms to an `Order`, and what is refused."""

import asyncio
import base64
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from overpaint.errors import ParameterError
from overpaint.params import EditParams
from overpaint.server.asking import AS_TEXT, NAMES, REPEATED, SPECS, SWEEP_NAMES, Asking, asking_of
from overpaint.server.body import (
    MAX_FIELDS,
    MAX_FILES,
    MAX_TEXT,
    Body,
    from_base64,
    media_type,
    read_form,
    strict_json,
)
from overpaint.server.order import OrderedLayer, Sent
from overpaint.server.problems import Problem, problem_of

DATA = bytes(range(256)) * 3
TEXT = base64.b64encode(DATA).decode()


def request(body: bytes, *chunks: bytes, content_type: str = "multipart/form-data; boundary=xyz") -> Request:
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in (body, *chunks)]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return messages.pop(0)

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


def part(name: str, data: str | bytes, filename: str | None = None) -> bytes:
    told = f'--xyz\r\nContent-Disposition: form-data; name="{name}"'
    told += "" if filename is None else f'; filename="{filename}"\r\nContent-Type: image/png'
    return told.encode() + b"\r\n\r\n" + (data.encode() if isinstance(data, str) else data) + b"\r\n"


def form(*parts: bytes, end: bytes = b"--xyz--\r\n") -> Body:
    return asyncio.run(read_form(request(b"".join(parts) + end), REPEATED, AS_TEXT))


def asked(*, sweep: bool = False, key: str | None = None, **values: Any) -> Asking:
    return asking_of(Body(values), sweep=sweep, key=key)


def refused(status: int, call: Any, *args: Any, **options: Any) -> Problem:
    """The problem that a call ends with."""
    with pytest.raises((Problem, ParameterError)) as caught:
        call(*args, **options)
    problem = problem_of(caught.value)
    assert problem.status == status, problem.message
    return problem


# ---- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.case("Q10")
@pytest.mark.parametrize(
    "text",
    [
        b'{"strength": NaN}',
        b'{"strength": Infinity}',
        b'{"strength": -Infinity}',
        b'{"strength": 1e400}',
        b'{"strength": 1, "strength": 1}',
        b'{"params": {"seed": 1, "seed": 2}}',
        b'{"prompt": "\xff"}',
        b'{"prompt": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"prompt": "x"}'.encode("utf-16"),
        b'{"seed": ' + b"1" * 5000 + b"}",
        b'{"strength": 0.' + b"1" * 5000 + b"}",
        b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 200_000,
        b'{"tools": [' + b"1," * 200_000 + b"1]}",
        b'{"prompt": "a\nb"}',
        b"{'prompt': 1}",
        b"{} {}",
        b"",
        b"\x1f\x8b\x08\x00",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_no_strict_json_is_malformed(text: bytes) -> None:
    started = time.monotonic()
    problem = refused(400, strict_json, text)
    assert problem.code == "invalid_json"
    assert len(problem.message) < 400
    assert time.monotonic() - started < 2


def test_json_as_it_should_be() -> None:
    text = '{"prompt": "é 🌲", "strength": 0.5, "layers": [{"map_id": "a"}], "seed": 9007199254740991, "keep": null}'
    assert strict_json(text.encode()) == json.loads(text)


@pytest.mark.case("I30")
@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/svg+xml;charset=utf-8;BASE64,{TEXT}",
        f"  data:image/jpeg;base64,\n{TEXT}\n",
        "\r\n".join(re.findall(".{1,76}", TEXT)),
        f"\t{TEXT} ",
    ],
    ids=lambda text: text[:30],
)
def test_base64_as_it_may_be(text: str) -> None:
    assert from_base64(text, "image") == DATA


@pytest.mark.case("I30")
@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1],
        TEXT[:-3],
        "=" + TEXT,
        "AA==AA==",
        "AAA=A",
        "AA=",
        "AA===",
        TEXT.replace("/", "_", 1),
        f"!{TEXT}",
        f"é{TEXT}",
        f"data:text/html;base64,{TEXT}",
        f"data:image/png,{TEXT}",
        f"data:;base64,{TEXT}",
        f"data:image/png;base64;evil,{TEXT}",
        "https://example.com/a.png",
        "/etc/passwd.",
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_base64_of_a_picture_is_malformed(text: str) -> None:
    problem = refused(400, asked, image=text)
    assert (problem.code, problem.param) == ("invalid_base64", "image")


def test_a_json_body_is_an_order() -> None:
    told = asked(
        prompt="a lake",
        strength=1,
        steps=4,
        seed=2**53 - 1,
        size=[64, 32],
        extend=[1, 2, 3, 4],
        variation=[3, 0.5],
        preset=None,
        image=TEXT,
        map_id="m",
        mask=f"data:image/png;base64,{TEXT}",
        soft=True,
        tools=["box:0,0,4,4", "grow:8"],
        layers=[{"map": TEXT, "prompt": "snow", "strength": 0.5}, {"map_id": "l", "prompt": "", "strength": None}],
        format="webp",
        fidelity=True,
        wait=True,
        deadline=30,
        model="embedded",
        params={"guidance_scale": 3, "detail": 0.5},
        key="k1",
    )
    order = told.order
    assert order.params == {
        "prompt": "a lake",
        "strength": 1.0,
        "steps": 4,
        "seed": 2**53 - 1,
        "size": "64x32",
        "extend": "1,2,3,4",
        "variation": "3,0.5",
        "guidance_scale": 3.0,
        "detail": 0.5,
    }
    assert (order.image, order.map, order.mask) == (Sent(DATA), Sent(id="m"), Sent(DATA))
    assert order.tools == ("box:0,0,4,4", "grow:8")
    assert order.layers == (OrderedLayer(Sent(DATA), "snow", 0.5), OrderedLayer(Sent(id="l"), ""))
    assert (order.soft, order.format, order.fidelity, order.deadline_seconds, order.key) == (
        True,
        "webp",
        True,
        30,
        "k1",
    )
    assert (told.wait, told.model) == (True, "embedded")
    EditParams(**order.params)


def test_nothing_is_an_order_of_defaults() -> None:
    told = asked()
    assert told == Asking(told.order)
    assert told.order.params == {}
    assert (told.order.image, told.order.format, told.order.key) == (None, "png", None)


@pytest.mark.case("Q01", "Q02", "Q04", "Q05", "Q06", "Q07", "Q09")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("steps", value) for value in ("20", True, 20.5, 0, -1, 10**9, [], {}, 20.0)),
        *(("strength", value) for value in ("0.5", True, -0.1, 1.01, [0.5], {})),
        *(("guidance_scale", value) for value in (0.5, 51, "7", False)),
        *(("seed", value) for value in (-2, 2**53, 1.5, "abc", "7", True)),
        *(("prompt", value) for value in (1, True, ["a"], {}, "x" * 100_000, "\x00", "\ud800", "\x1b[31m")),
        *(("sampler", value) for value in ("euler-z", 3, ["euler"], None or {})),
        *(("size", value) for value in ("64", [64], [64, True], [64.5, 64], "0x64", "100000x64", 64, {})),
        *(("extend", value) for value in ([1, 2, 3], [1, 2, 3, True], [1, 2, 3, 4.5], "1,2", [1, 2, 3, -4], {})),
        *(("variation", value) for value in ([1], [True, 0.5], ["1", "0.5"], [1.5, 0.5], "1", {"1": 0, "0.5": 0})),
        *(("wait", value) for value in (1, "true", 0, [])),
        *(("soft", value) for value in (1, "on")),
        *(("fidelity", value) for value in ("yes", {})),
        *(("format", value) for value in ("gif", "PNG", 1)),
        *(("deadline", value) for value in (0, -1, "30", True, 1e9)),
        *(("tools", value) for value in (1, [1], [["a"]], ["a"] * 65, ["x" * 5000], [""])),
        *(("layers", value) for value in ({}, "x", [1], ["x"], [{}])),
        *(("params", value) for value in ([], "x", 1)),
        *(("image", value) for value in (1, ["x"], {}, True)),
        *(("image_id", value) for value in (1, "", [])),
        *(("model", value) for value in (1, [])),
        *(("idempotency_key", value) for value in (1, [])),
    ],
)
def test_a_value_of_the_wrong_type_or_range_names_its_field(name: str, value: Any) -> None:
    problem = refused(422, asked, **{name: value})
    assert str(problem.param).split("[")[0] == name
    assert len(problem.message) < 300


def test_types_are_exact_inside_params_and_layers_and_against_too() -> None:
    assert refused(422, asked, params={"steps": "20"}).param == "steps"
    assert refused(422, asked, params={"cfg_scale": 7}).param == "cfg_scale"
    layer = {"map_id": "a", "prompt": "x"}
    assert refused(422, asked, layers=[layer, {**layer, "strength": "1"}]).param == "layers[1].strength"
    assert refused(422, asked, layers=[{**layer, "guidance_scale": 0}]).param == "layers[0].guidance_scale"
    assert refused(422, asked, layers=[{**layer, "seed": 0}]).param == "layers[0].seed"
    assert refused(422, asked, layers=[{"map_id": "a"}]).param == "layers[0].prompt"
    assert refused(422, asked, layers=[{**layer, "map": TEXT}]).param == "layers[0]"
    assert refused(422, asked, layers=[{**layer, "map_id": None}]).param == "layers[0]"
    assert refused(422, asked, layers=[{"prompt": "x", "map": 3}]).param == "layers[0].map"
    assert refused(400, asked, layers=[{"prompt": "x", "map": "?"}]).param == "layers[0].map"
    assert refused(422, asked, layers=[{"prompt": "x", "map_part": ["a"]}]).param == "layers[0].map_part"
    assert refused(422, asked, layers=[{"prompt": "x", "map_part": "a"}]).param == "layers[0].map_part"
    assert refused(422, asked, layers=[layer] * 17).param == "layers"
    assert refused(422, asked, sweep=True, against={"steps": ["4"]}).param == "against.steps"


def test_a_thing_can_be_told_one_way_only() -> None:
    assert "image and image_id" in refused(422, asked, image=TEXT, image_id="a").message
    assert "image_id and image_url" in refused(422, asked, image_id="a", image_url="http://x").message
    assert "in params" in refused(422, asked, steps=4, params={"steps": 4}).message
    assert refused(422, asked, key="a", idempotency_key="b").param == "idempotency_key"
    assert asked(key="a", idempotency_key="a").order.key == "a"
    both = Body({"image_id": "a"}, {"image": DATA}, typed=False)
    assert refused(422, asking_of, both).param == "image"


@pytest.mark.case("Q08")
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cfg_scale", "use guidance_scale"),
        ("denoising_strength", "use strength"),
        ("num_inference_steps", "use steps"),
        ("sampler_name", "use sampler"),
        ("scheduler", "use sampler and schedule"),
        ("width", "use size or output_size"),
        ("init_images", "use image"),
        ("stength", "strength"),
        ("promt", "prompt"),
        ("Seed", "seed"),
        ("\x1b[31m\ud800" + "x" * 10_000, "known are"),
    ],
)
def test_an_unknown_name_is_told_with_what_may_be_meant(name: str, hint: str) -> None:
    problem = refused(422, asked, **{name: 1})
    assert problem.code == "unknown_parameter"
    assert hint in problem.message
    assert len(problem.message) < 1500
    assert problem.message.isprintable()


def test_a_sweep_has_names_of_its_own() -> None:
    told = asked(sweep=True, strengths=[0.2, 1], against={"seed": [1, 2], "size": [[64, 64]]}, count=3)
    assert (told.strengths, told.count) == ((0.2, 1.0), 3)
    assert told.against == {"seed": [1, 2], "size": ["64x64"]}
    assert asked(sweep=True, strengths="0.2, .4").strengths == (0.2, 0.4)
    for wrong in ([], ["0.2"], [2], "x", {}, [0.1] * 1001, 0.5, [True]):
        assert refused(422, asked, sweep=True, strengths=wrong).param == "strengths"
    for wrong in (0, 1001, True, "2", 1.5):
        assert refused(422, asked, sweep=True, count=wrong).param == "count"
    assert refused(422, asked, sweep=True, against={"seed": 1}).param == "against"
    assert refused(422, asked, strengths=[0.2]).code == "unknown_parameter"
    assert refused(422, asked, sweep=True, wait=True).code == "unknown_parameter"
    assert set(SWEEP_NAMES) - set(NAMES) == {"strengths", "against", "count"}


# ---- forms -----------------------------------------------------------------------------------------------------------


def test_a_form_is_the_same_order() -> None:
    layers = '[{"map_part": "sky", "prompt": "snow", "strength": 0.5}]'
    body = form(
        part("image", DATA, "a.png"),
        part("sky", DATA[:5], "../../sky.png"),
        part("prompt", "é: a lake\r\nat dusk"),
        part("strength", "0.5"),
        part("steps", " 4 "),
        part("seed", ""),
        part("size", "64x64"),
        part("tools", "box:0,0,4,4"),
        part("tools", "grow:8"),
        part("soft", "TRUE"),
        part("fidelity", "0"),
        part("wait", "on"),
        part("deadline", "2.5"),
        part("layers", layers),
        part("params", '{"guidance_scale": 3}', "blob"),
        part("mask", b"", ""),
        part("map_id", "  "),
    )
    assert body.files == {"image": DATA, "sky": DATA[:5]}
    told = asking_of(body)
    order = told.order
    assert order.params == {
        "prompt": "é: a lake\r\nat dusk",
        "strength": 0.5,
        "steps": 4,
        "size": "64x64",
        "guidance_scale": 3.0,
    }
    assert (order.image, order.mask, order.map) == (Sent(DATA), None, None)
    assert order.layers == (OrderedLayer(Sent(DATA[:5]), "snow", 0.5),)
    assert order.tools == ("box:0,0,4,4", "grow:8")
    assert (order.soft, order.fidelity, told.wait, order.deadline_seconds) == (True, False, True, 2.5)


def test_a_form_of_a_sweep() -> None:
    body = form(part("strengths", "0.2,0.4"), part("against", '{"seed": [1, 2]}'), part("count", "2"))
    told = asking_of(body, sweep=True)
    assert (told.strengths, told.against, told.count) == ((0.2, 0.4), {"seed": [1, 2]}, 2)
    assert asking_of(form(part("strengths", "[0.2, 0.4]")), sweep=True).strengths == (0.2, 0.4)


@pytest.mark.case("Q01", "Q09")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("steps", text) for text in ("20.5", "x", "1e3", "0", "true", "99999999999999999999999")),
        *(("strength", text) for text in ("nan", "inf", "-0.1", "1.01", "x", "1e999")),
        *(("seed", text) for text in ("1.5", "abc", "9007199254740992", "-2")),
        *(("wait", text) for text in ("maybe", "2")),
        *(("deadline", text) for text in ("x", "0", "nan")),
        ("format", "gif"),
        ("sampler", "x"),
        ("extend", "1,2"),
    ],
)
def test_texts_of_a_form_are_read_strictly(name: str, text: str) -> None:
    assert refused(422, asking_of, form(part(name, text))).param == name


@pytest.mark.case("Q11")
@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 71,
        'multipart/form-data; boundary="a\\"b"',
    ],
)
def test_a_form_without_a_boundary_is_malformed(content_type: str) -> None:
    problem = refused(400, lambda: asyncio.run(read_form(request(b"--xyz--\r\n", content_type=content_type))))
    assert problem.code == "invalid_multipart"


@pytest.mark.case("Q11")
@pytest.mark.parametrize(
    "parts",
    [
        [part(f"f{i}", "x") for i in range(1001)],
        [part(f"f{i}", "x", "a.png") for i in range(1001)],
        [part("tools", "x")] * (MAX_FIELDS + 1),
        [part(f"f{i}", "x", "a.png") for i in range(MAX_FILES + 1)],
        [part("prompt", "x" * (MAX_TEXT + 1))],
        [part("image", DATA, "a.png"), part("image", DATA, "b.png")],
        [part("image", DATA, "a.png"), part("image", "x")],
        [part("strength", "0.5"), part("strength", "0.5")],
        [part("prompt", b"\xff")],
        [part("x", "y").replace(b'; name="x"', b"")],
        [part("x", "y").replace(b"form-data", b"form-data\x00", 1).replace(b'name="x"', b"")],
        [b"no boundary at all"],
    ],
    ids=range(12),
)
def test_a_form_that_is_not_right_is_malformed(parts: list[bytes]) -> None:
    assert refused(400, form, *parts).code == "invalid_multipart"


@pytest.mark.case("Q11")
@pytest.mark.parametrize("end", [b"", b"--xyz\r\n", b"--xy", b"--xyz-"])
def test_a_form_that_is_cut_off_is_malformed(end: bytes) -> None:
    assert "ends before" in refused(400, form, part("prompt", "x"), end=end).message


@pytest.mark.case("Q11")
@pytest.mark.parametrize(
    ("parts", "status", "param"),
    [
        ([part("image[]", DATA, "a.png")], 400, "image[]"),
        ([part("picture", DATA, "a.png")], 400, "picture"),
        ([part("prompt", "a lake", "prompt.txt")], 400, "prompt"),
        ([part("tools", "grow:1", "tools.txt")], 400, "tools"),
        ([part("image", TEXT)], 400, "image"),
        ([part("cfg_scale", "7")], 422, "cfg_scale"),
        ([part("image[]", "x")], 422, "image[]"),
        ([part("layers", "[")], 400, None),
        ([part("params", '{"steps": 1, "steps": 2}')], 400, None),
    ],
)
def test_parts_that_mean_nothing(parts: list[bytes], status: int, param: str | None) -> None:
    problem = refused(status, lambda: asking_of(form(*parts)))
    assert problem.param == param


def test_lists_in_brackets_are_read_where_a_route_wants_them() -> None:
    parts = [
        part("image[]", DATA, "a.png"),
        part("image[]", DATA[:5], "b.png"),
        part("image[]", b"", ""),  # a browser's file that was not chosen
        part("tools[]", "box:0,0,4,4"),
        part("tools[]", "é"),
        part("map[]", TEXT),
        part("tools", "grow:8"),
        part("mask", DATA, "m.png"),
        part("svg[model]", "x"),
    ]
    told = asyncio.run(read_form(request(b"".join(parts) + b"--xyz--\r\n"), REPEATED, AS_TEXT, lists=True))
    assert told.lists == {"image": [DATA, DATA[:5]], "tools": ["box:0,0,4,4", "é"], "map": [TEXT]}
    assert (told.files, told.values) == ({"mask": DATA}, {"tools": ["grow:8"], "svg[model]": "x"})
    assert refused(400, form, *parts).param == "image[]"  # elsewhere it is a name, which came twice
    assert form(part("tools[]", "x")).lists == {}
    wrong = request(part("tools[]", b"\xff") + b"--xyz--\r\n")
    assert refused(400, lambda: asyncio.run(read_form(wrong, lists=True))).code == "invalid_multipart"


@pytest.mark.case("Q11")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted by Linux's means")
def test_no_temporary_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    large = b"x" * (3 << 20)  # so large that the parser puts it on the disk

    def open_files() -> list[str]:
        links = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{fd}"))
            except OSError:
                continue
        return [link for link in links if link.startswith(str(tmp_path))]

    assert form(part("image", large, "a.png")).files == {"image": large}
    refused(400, form, part("image", large, "a.png"), part("image", large, "a.png"))
    refused(400, form, part("image", large, "a.png"), end=b"")
    refused(400, form, part("image", large, "a.png"), b"nonsense")
    assert open_files() == []
    assert list(tmp_path.iterdir()) == []


def test_a_form_may_come_in_any_pieces() -> None:
    whole = part("image", DATA, "a.png") + part("prompt", "é") + b"--xyz--\r\n"
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    body = asyncio.run(read_form(request(*pieces), REPEATED, AS_TEXT))
    assert (body.files, body.values) == ({"image": DATA}, {"prompt": "é"})


@pytest.mark.case("Q10")
def test_compressed_bodies_and_other_types_are_not_taken() -> None:
    told = request(b"", content_type="Application/JSON; charset=utf-8")
    assert media_type(told) == "application/json"
    packed = Request({"type": "http", "headers": [(b"content-encoding", b"gzip")]})
    assert refused(415, media_type, packed).code == "unsupported_media_type"


def test_every_field_has_a_spec_and_a_name() -> None:
    assert list(SPECS) == [name for name in NAMES if name in SPECS]
    assert len(NAMES) == len(set(NAMES))
