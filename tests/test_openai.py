"""OpenAI's API of pictures: its own client, unchanged, against the server; and each field in our words."""

import asyncio
import base64
import io
import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from http_app import UNKNOWN, file_of, picture
from live import LiveServer
from openai.types import image_create_variation_params, image_edit_params, image_generate_params
from PIL import Image

from overpaint.errors import ParameterError
from overpaint.server.asking import Asking, asking_of
from overpaint.server.body import Body
from overpaint.server.files import Files
from overpaint.server.openai import FIELDS, Wanted, translated
from overpaint.server.openai_answers import Partials
from overpaint.server.order import Sent
from overpaint.server.problems import Problem, in_words_of, problem_of
from overpaint.server.store import Store

KEY = "ann-" + "k" * 20
QUICK = {"steps": 3, "seed": 7, "working_size": "64x64"}
LONG = {"working_size": "64x64", "steps": 1000, "repeat": 20, "strength": 1.0}  # minutes
IMAGE = picture()
PIXELS = np.asarray(Image.open(io.BytesIO(IMAGE)))
QUEUE = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("openai")
    (folder / "keys").touch(0o600)
    (folder / "keys").write_text(f"ann:{KEY}\n")
    options = ("--device", "cpu", "--dtype", "float32", "--threads", "1", "--no-warm-up", "--queue", str(QUEUE))
    options += ("--drain-seconds", "0.3")
    with LiveServer(folder, *options, "--key-file", str(folder / "keys")) as server:
        server.headers = {"authorization": f"Bearer {KEY}"}
        yield server.wait_ready()


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=2) as client:
        yield client


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as im:
        return np.asarray(im)


def bytes_of(one: Any) -> bytes:
    return base64.b64decode(one.b64_json, validate=True)


def with_alpha(left: int) -> bytes:
    """The picture, its left half of this alpha."""
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:, :32] = left
    return file_of(np.dstack([PIXELS, alpha]))


HOLE = with_alpha(0)


def count(server: LiveServer, route: str, status: int) -> int:
    """How many requests were answered so."""
    start = f'overpaint_http_requests_total{{method="POST",route="{route}",status="{status}"}} '
    lines = server.ask("/metrics").body.decode().splitlines()
    return sum(int(float(line.removeprefix(start))) for line in lines if line.startswith(start))


# ---- its client ------------------------------------------------------------------------------------------------------


def test_an_edit_is_the_native_one(client: openai.OpenAI, server: LiveServer, tmp_path: Path) -> None:
    told = client.images.edit(image=IMAGE, prompt="a lake", extra_body={**QUICK, "strength": 0.5})
    (one,) = told.data or ()
    extra: dict[str, Any] = told.model_extra or {}
    assert (told.output_format, told.size, extra["warnings"], told.usage) == ("png", "64x64", [], None)
    assert abs(told.created - time.time()) < 60
    assert (one.model_extra or {})["seed"] == 7
    native = {"prompt": "a lake", "strength": 0.5, "steps": 3, "seed": 7, "size": "64x64"}
    answer = server.ask_json("/v1/edits?wait=true", {**native, "image": base64.b64encode(IMAGE).decode()})
    assert answer.headers["content-type"] == "image/png"
    assert bytes_of(one) == answer.body
    assert server.ask(f"/v1/jobs/{(one.model_extra or {})['job']}/result").body == answer.body
    path = tmp_path / "a.txt"  # names and types mean nothing
    path.write_bytes(IMAGE)
    with path.open("rb") as file:
        again = client.images.edit(image=file, prompt="a lake", extra_body={**QUICK, "strength": 0.5})
    listed = client.images.edit(image=[IMAGE], prompt="a lake", extra_body={**QUICK, "strength": 0.5})
    typed = client.images.edit(
        image=("b.gif", IMAGE, "image/gif"), prompt="a lake", extra_body={**QUICK, "strength": 0.5}
    )
    for other in (again, listed, typed):
        assert bytes_of((other.data or [])[0]) == answer.body


def test_a_mask_is_transparent_where_the_edit_is(client: openai.OpenAI, server: LiveServer) -> None:
    knobs = {**QUICK, "strength": 1.0, "blend": 0}
    told = client.images.edit(image=IMAGE, mask=HOLE, prompt="a red wall", n=2, extra_body=knobs)
    made = [pixels(bytes_of(one)) for one in told.data or ()]
    assert [(one.model_extra or {})["seed"] for one in told.data or ()] == [7, 8]
    assert not (made[0] == made[1]).all()
    for one in made:
        assert (one[:, 32:] == PIXELS[:, 32:]).all()
        assert (one[:, :32] != PIXELS[:, :32]).any(axis=-1).mean() > 0.9
    native = {"prompt": "a red wall", "strength": 1, "steps": 3, "seed": 7, "size": "64x64", "blend": 0}
    native |= {"image": base64.b64encode(IMAGE).decode(), "mask": base64.b64encode(HOLE).decode()}
    answer = server.ask_json("/v1/edits?wait=true", {**native, "mask_by": "transparency"})
    assert (pixels(answer.body) == made[0]).all()
    ours = client.images.edit(image=IMAGE, prompt="a red wall", extra_body={**knobs, "tools": ["box:0,0,32,64"]})
    assert (pixels(bytes_of((ours.data or [])[0])) == made[0]).all()


def test_what_is_transparent_in_a_picture_is_its_mask(client: openai.OpenAI) -> None:
    told = client.images.edit(image=HOLE, prompt="a red wall", extra_body={**QUICK, "strength": 1.0, "blend": 0})
    made = pixels(bytes_of((told.data or [])[0]))
    assert made.shape == (64, 64, 3)
    assert (made[:, 32:] == PIXELS[:, 32:]).all()
    assert (made[:, :32] != 255).any(axis=-1).mean() > 0.9
    both = client.images.edit(
        image=HOLE, mask=HOLE, prompt="a red wall", extra_body={**QUICK, "strength": 1.0, "blend": 0}
    )
    assert (pixels(bytes_of((both.data or [])[0])) == made).all()
    whole = client.images.edit(image=with_alpha(255), prompt="a red wall", extra_body=QUICK)
    assert (pixels(bytes_of((whole.data or [])[0]))[:, 32:, :3] != PIXELS[:, 32:]).any()
    ours = {**QUICK, "map": base64.b64encode(file_of(np.zeros((64, 64), np.uint8))).decode()}
    kept = client.images.edit(image=HOLE, prompt="a red wall", extra_body=ours)
    assert (pixels(bytes_of((kept.data or [])[0])) == pixels(HOLE)).all()


def test_sizes_formats_and_urls(client: openai.OpenAI, server: LiveServer) -> None:
    told = client.images.edit(
        image=IMAGE,
        prompt="a lake",
        model="gpt-image-1",
        size="96x80",
        quality="high",
        background="auto",
        output_format="webp",
        response_format="url",
        user="u",
        extra_body=QUICK,
    )
    warnings = (told.model_extra or {})["warnings"]
    assert warnings[0] == "quality has no effect here"
    assert "gpt-image-1" in warnings[1]
    assert (told.output_format, told.size) == ("webp", "96x80")
    url = (told.data or [])[0].url or ""
    assert url.startswith(server.url + "/v1/jobs/")
    with urllib.request.urlopen(urllib.request.Request(url, headers=server.headers)) as got:
        data = got.read()
    with Image.open(io.BytesIO(data)) as im:
        assert (im.format, im.size) == ("WEBP", (96, 80))


def test_pictures_from_words_and_variations(client: openai.OpenAI) -> None:
    told = client.images.generate(prompt="a lake", model="embedded", size="64x64", extra_body=QUICK)
    again = client.images.generate(
        prompt="a lake", size="auto", output_format="jpeg", extra_body={**QUICK, "output_size": "64x64"}
    )
    assert pixels(bytes_of(told.data[0])).shape == (64, 64, 3)
    with Image.open(io.BytesIO(bytes_of((again.data or [])[0]))) as im:
        assert (im.format, im.size) == ("JPEG", (64, 64))
    with pytest.deprecated_call():  # by OpenAI, whose server has it no more
        varied = client.images.create_variation(image=IMAGE, n=2, extra_body=QUICK)
    one, other = (pixels(bytes_of(one)) for one in varied.data or ())
    assert not (one == other).all()
    plain = client.images.edit(image=IMAGE, prompt="", extra_body=QUICK)
    assert (pixels(bytes_of((plain.data or [])[0])) == one).all()


def test_models(client: openai.OpenAI) -> None:
    (listed,) = client.models.list()
    assert (listed.id, listed.object, listed.owned_by) == ("embedded", "model", "overpaint")
    assert client.models.retrieve("embedded") == listed
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody/nothing")
    assert caught.value.code == "model_not_found"


def test_json_and_forms_are_taken_by_both(server: LiveServer) -> None:
    told = {"prompt": "a lake", "steps": 3, "seed": 7, "working_size": "64x64", "size": "64x64"}
    text = base64.b64encode(IMAGE).decode()
    made = [
        server.ask_json("/v1/images/edits", {**told, "image": image}).json()["data"][0]["b64_json"]
        for image in (text, [f"data:image/png;base64,{text}"])
    ]
    assert made[0] == made[1]
    parts = "".join(f'--xyz\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in told.items())
    kind = {"content-type": "multipart/form-data; boundary=xyz"}
    form = server.ask("/v1/images/generations", f"{parts}--xyz--\r\n".encode(), kind).json()
    as_json = server.ask_json("/v1/images/generations", told).json()
    assert form["data"][0]["b64_json"] == as_json["data"][0]["b64_json"]


# ---- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_shows_what_comes(client: openai.OpenAI) -> None:
    knobs = {**QUICK, "steps": 40, "strength": 1.0}
    seen = list(
        client.images.edit(
            image=IMAGE, prompt="a lake", stream=True, partial_images=3, output_format="jpeg", extra_body=knobs
        )
    )
    *partial, last = seen
    assert 1 <= len(partial) <= 3
    for i, event in enumerate(partial):
        assert event.type == "image_edit.partial_image"
        assert (event.partial_image_index, event.output_format, event.size) == (i, "jpeg", "auto")
        assert pixels(bytes_of(event)).shape == (64, 64, 3)
    assert (last.type, last.size, last.output_format) == ("image_edit.completed", "64x64", "jpeg")
    plain = client.images.edit(image=IMAGE, prompt="a lake", output_format="jpeg", extra_body=knobs)
    assert last.b64_json == (plain.data or [])[0].b64_json


def test_a_stream_of_several(client: openai.OpenAI) -> None:
    told = client.images.generate(prompt="a lake", n=2, stream=True, extra_body={**QUICK, "output_size": "64x64"})
    seen = list(told)
    assert [event.type for event in seen] == ["image_generation.completed"] * 2
    assert [(event.model_extra or {})["seed"] for event in seen] == [7, 8]


def test_who_leaves_a_stream_cancels(client: openai.OpenAI, server: LiveServer) -> None:
    told = client.images.edit(image=IMAGE, prompt="x", n=2, stream=True, partial_images=3, extra_body=LONG)
    told.close()
    until = time.monotonic() + 20
    while any(job["state"] in ("queued", "running") for job in server.ask("/v1/jobs").json()["data"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    states = [job["state"] for job in server.ask("/v1/jobs?limit=2").json()["data"]]
    assert states == ["cancelled", "cancelled"]


def test_a_failure_in_a_stream_is_an_error(client: openai.OpenAI, server: LiveServer) -> None:
    told = client.images.edit(image=IMAGE, prompt="x", stream=True, extra_body={**LONG, "deadline": 0.3})
    with pytest.raises(openai.APIError) as caught:
        list(told)
    assert (caught.value.code, caught.value.type) == ("deadline", "server_error")
    with pytest.raises(openai.BadRequestError):  # before it begins, it is a status
        client.images.edit(image=IMAGE, prompt="x", stream=True, extra_body={"strength": 2})


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "big"}, "size"),
        ({"size": "0x64"}, "size"),
        ({"n": 11}, "n"),
        ({"n": 0}, "n"),
        ({"output_format": "gif"}, "output_format"),
        ({"response_format": "png"}, "response_format"),
        ({"partial_images": 4}, "partial_images"),
        ({"image": [IMAGE, IMAGE]}, "image"),
        ({"image": b"x"}, "image"),
        ({"mask": IMAGE}, "mask"),
        ({"extra_body": {"strength": 2}}, "strength"),
        ({"extra_body": {"working_size": "big"}}, "working_size"),
        ({"extra_body": {"stength": 1}}, "stength"),
        ({"extra_body": {"tools": ["nothing:1"]}}, "tool"),
        ({"extra_body": {"map": "?"}}, "map"),
    ],
    ids=lambda told: str(told)[:30],
)
def test_what_is_wrong_is_told_by_its_name(client: openai.OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(**{"image": IMAGE, "prompt": "x", **fields})
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert caught.value.code


def test_other_errors(client: openai.OpenAI, server: LiveServer) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.edit(image=IMAGE, prompt="x", model="sdxl")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError) as gone:
        client.images.edit(image=IMAGE, prompt="x", extra_body={"mask_id": UNKNOWN})
    assert gone.value.param == "mask_id"
    with pytest.raises(openai.AuthenticationError) as wrong:
        client.with_options(api_key="nobody").images.edit(image=IMAGE, prompt="x")
    assert wrong.value.code == "wrong_key"
    with pytest.raises(openai.RateLimitError) as full:
        client.with_options(max_retries=0).images.edit(image=IMAGE, prompt="x", n=QUEUE + 1, extra_body=QUICK)
    assert full.value.code == "queue_full"
    assert int(full.value.response.headers["retry-after"]) > 0
    for path in ("edits", "variations"):
        answer = server.ask_json(f"/v1/images/{path}", {"prompt": "x"})
        assert (answer.status, answer.json()["error"]["param"]) == (400, "image")
    assert server.ask("/v1/images/edits", b"x", {"content-type": "text/plain"}).status == 415


def test_an_edit_that_fails_is_not_asked_for_again(client: openai.OpenAI, server: LiveServer) -> None:
    assert client.max_retries == 2
    with pytest.raises(openai.InternalServerError) as caught:
        client.images.edit(image=IMAGE, prompt="x", extra_body={**LONG, "deadline": 0.3})
    assert (caught.value.status_code, caught.value.code) == (504, "deadline")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert count(server, "/v1/images/edits", 504) == 1


def test_the_client_that_waits_for_nothing(server: LiveServer) -> None:
    async def edited() -> list[bytes]:
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY) as client:
            told = await client.images.edit(image=IMAGE, prompt="a lake", extra_body=QUICK)
            stream = await client.images.edit(image=IMAGE, prompt="a lake", stream=True, extra_body=QUICK)
            return [bytes_of((told.data or [])[0]), *[bytes_of(event) async for event in stream]]

    one, other = asyncio.run(edited())
    assert one == other


def test_a_server_that_ends_keeps_what_a_stream_waits_for(client: openai.OpenAI, server: LiveServer) -> None:
    """Last of those that need it."""
    told = client.images.edit(image=IMAGE, prompt="x", stream=True, extra_body=LONG)
    id = next(job["id"] for job in server.ask("/v1/jobs").json()["data"] if job["state"] in ("queued", "running"))
    server.signal(signal.SIGTERM)
    with pytest.raises(openai.APIError) as caught:
        list(told)
    assert caught.value.code == "not_ready"
    assert server.wait() == 0
    with Files(server.folder) as files, Store(files.database) as store:
        job = store.job(id)
    assert job is not None
    assert (job.state, job.cancel_asked) == ("queued", False)


# ---- in our words ----------------------------------------------------------------------------------------------------


def form(
    files: dict[str, bytes] | None = None, lists: dict[str, list[str | bytes]] | None = None, **texts: Any
) -> Body:
    return Body(texts, files or {}, typed=False, lists=lists or {})


def asked(wanted: Wanted) -> Asking:
    return asking_of(wanted.body)


def ordered(body: Body) -> Asking:
    """As the route does it."""
    wanted = translated(body)
    try:
        return asked(wanted)
    except (Problem, ParameterError) as e:
        raise in_words_of(e, wanted.names) from e


def refused(body: Body) -> Problem:
    with pytest.raises((Problem, ParameterError)) as caught:
        ordered(body)
    return problem_of(caught.value)


def test_every_field_of_the_client_is_in_the_table() -> None:
    params = (
        image_edit_params.ImageEditParamsNonStreaming,
        image_edit_params.ImageEditParamsStreaming,
        image_generate_params.ImageGenerateParamsNonStreaming,
        image_generate_params.ImageGenerateParamsStreaming,
        image_create_variation_params.ImageCreateVariationParams,
    )
    assert set().union(*(one.__annotations__ for one in params)) == set(FIELDS)
    for field in FIELDS.values():
        assert field.words[0].isupper() or field.words.startswith(("png", "b64_json")), field.name
        assert field.words.endswith("."), field.name


@pytest.mark.parametrize("typed", [True, False])
def test_fields_are_ours_by_other_names(typed: bool) -> None:
    told = {"prompt": "a lake", "n": 3, "size": "96x64", "working_size": "64x64", "output_format": "webp", "seed": 5}
    told |= {"stream": True, "partial_images": 2, "response_format": "url"}
    body = Body(told) if typed else form(**{name: str(value) for name, value in told.items()})
    wanted = translated(body)
    order = asked(wanted).order
    assert order.params == {"prompt": "a lake", "output_size": "96x64", "size": "64x64", "seed": 5}
    assert order.format == "webp"
    assert (wanted.n, wanted.stream, wanted.partial_images, wanted.as_url) == (3, True, 2, True)
    assert wanted.names == {"output_size": "size", "size": "working_size", "format": "output_format"}
    assert wanted.warnings == ()
    assert translated(form(size="AUTO")) == Wanted(Body({}, {}, typed=False))
    nothing = translated(Body(dict.fromkeys(FIELDS)))
    assert nothing == Wanted(Body({}))


def test_pictures_come_in_any_form() -> None:
    text = base64.b64encode(IMAGE).decode()
    for body in (
        Body({"image": text}),
        Body({"image": [f"data:image/png;base64,{text}"]}),
        form({"image": IMAGE}),
        form(lists={"image": [IMAGE]}),
        form(image=text),
        form(lists={"image": [text]}),
    ):
        assert asked(translated(body)).order.image == Sent(IMAGE)
    for body in (
        Body({"image": [text, text]}),
        Body({"image": []}),
        form(lists={"image": [IMAGE, IMAGE]}),
        form({"image": IMAGE}, lists={"image": [IMAGE]}),
        form(lists={"image": [IMAGE]}, image=text),
    ):
        problem = refused(body)
        assert (problem.status, problem.param) == (422, "image")
        assert "not merged" in problem.message
    assert (refused(form(image="?")).code, refused(Body({"image": 1})).param) == ("invalid_base64", "image")


def test_masks_are_transparent_unless_told_otherwise() -> None:
    assert asked(translated(form({"image": IMAGE, "mask": HOLE}))).order.mask_by == "transparency"
    assert asked(translated(form({"image": IMAGE}, mask_id="a"))).order.mask_by == "transparency"
    assert asked(translated(form({"image": IMAGE, "mask": HOLE}, mask_by="opacity"))).order.mask_by == "opacity"
    assert asked(translated(form({"image": IMAGE, "map": HOLE}))).order.mask_by == "brightness"


def test_lists_of_our_own_come_in_brackets() -> None:
    lists: dict[str, list[str | bytes]] = {"tools": ["box:0,0,4,4", "grow:8"], "extend": ["1", "2", "3", "4"]}
    lists |= {"variation": ["3", "0.5"], "size": ["64", "32"]}
    order = asked(translated(form({"image": IMAGE}, lists))).order
    assert order.tools == ("box:0,0,4,4", "grow:8")
    assert order.params == {"extend": "1,2,3,4", "variation": "3,0.5", "output_size": "64x32"}
    assert asked(translated(form({"image": IMAGE}, tools=["invert"]))).order.tools == ("invert",)
    assert refused(form(lists={"strength": ["1", "2"]})).param == "strength"
    assert refused(form(lists={"nothing": ["1"]})).code == "unknown_parameter"
    assert refused(form(lists={"tools": [b"x"]})).code == "invalid_multipart"


def test_what_has_no_effect_is_told() -> None:
    idle = {name for name, field in FIELDS.items() if field.idle is not None}
    for name in idle:
        assert translated(form(**{name: "7"})).warnings == (f"{name} has no effect here",)
        for value in FIELDS[name].idle or ():
            assert translated(form(**{name: value.upper()})).warnings == ()
    assert translated(form({"markup": IMAGE})).warnings == ("markup has no effect here",)
    assert translated(form(**{"svg[model]": "a", "svg[reasoning][effort]": "low"})).warnings == (
        "svg has no effect here",
    )
    assert translated(Body({"output_compression": 100, "user": "me", "safety_identifier": "x"})).warnings == ()
    assert "stream" in translated(form(partial_images="2")).warnings[0]
    for model in ("dall-e-2", "gpt-image-2.5-flare", "chatgpt-image-latest"):
        wanted = translated(Body({"model": model}))
        assert model in wanted.warnings[0]
        assert asked(wanted).model is None
    assert asked(translated(Body({"model": "embedded"}))).model == "embedded"


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"qualty": "high"}, "qualty", "quality"),
        ({"cfg_scale": 7}, "cfg_scale", "guidance_scale"),
        ({"wait": True}, "wait", "not known"),
        ({"count": 2}, "count", "not known"),
        ({"strengths": [0.5]}, "strengths", "strength"),
        ({"n": "2"}, "n", "whole number"),
        ({"n": 11}, "n", "10"),
        ({"size": "big"}, "size", "size: "),
        ({"size": [64]}, "size", "size: "),
        ({"working_size": "big"}, "working_size", "working_size: "),
        ({"output_format": "svg"}, "output_format", "png"),
        ({"output_format": "png", "format": "png"}, "format", "twice"),
        ({"size": "64x64", "output_size": "64x64"}, "output_size", "twice"),
        ({"stream": 1}, "stream", "true or false"),
        ({"partial_images": 4}, "partial_images", "3"),
        ({"model": 1}, "model", "text"),
        ({"strength": 2}, "strength", "1"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_field(fields: dict[str, Any], param: str, words: str) -> None:
    problem = refused(Body(fields))
    assert (problem.status, problem.param) == (422, param)
    assert words in problem.message


@pytest.mark.parametrize(("most", "steps"), [(0, 10), (1, 10), (2, 12), (3, 4), (3, 2), (3, 1), (3, 1000)])
def test_partial_pictures_are_spread_evenly(most: int, steps: int) -> None:
    partials = Partials(most)
    due = [step for step in range(1, steps + 1) if partials.due(step, steps)]
    assert len(due) == min(most, steps)
    gaps = np.diff([0, *due, steps])
    assert due == [] or max(gaps) - min(gaps) <= 1
    assert [Partials(2).due(step, 12) for step in (3, 4, 12)] == [False, True, True]
    missed = Partials(2)
    assert [missed.due(step, 12) for step in (9, 10, 12)] == [True, False, False]


def test_the_table_is_json() -> None:
    json.dumps([(field.name, field.words, field.ours) for field in FIELDS.values()])
