"""Edits, jobs and sweeps over HTTP, in one process with the real service and the embedded model."""

import asyncio
import base64
import io
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from http_app import (
    LONG,
    SMALL,
    UNKNOWN,
    Http,
    Raw,
    Server,
    edited,
    ended,
    error_of,
    eventually,
    grey_map,
    jobs_in,
    long_job,
    picture,
    server,
)
from PIL import Image

from overpaint import decode
from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.errors import StoreError
from overpaint.marks import Marks
from overpaint.params import MAX_COUNT
from overpaint.request import Layer
from overpaint.server import answers, routes_jobs, streams

IMAGE, MAP = picture(), grey_map()
WHERE = ("box:8,8,40,40", "feather:6")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, editor: Editor) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("served"), editor) as served:
        yield served


@pytest.fixture(scope="module")
def http(there: Server) -> Http:
    return there.http


@pytest.fixture(scope="module")
def sent(http: Http) -> str:
    """The id of a picture that was sent ahead."""
    return str(http.post("/v1/pictures", files={"image": IMAGE}).json()["id"])


@pytest.fixture
def busy(http: Http) -> Iterator[str]:
    """Such a job, which runs."""
    id = long_job(http)
    while http.get(f"/v1/jobs/{id}").json()["state"] != "running":
        time.sleep(0.01)
    yield id
    http.delete(f"/v1/jobs/{id}")
    ended(http, id)


# ---- results are the library's ---------------------------------------------------------------------------------------

LAYERS = [{"map_part": "left", "prompt": "snow", "strength": 0.7}]
EDITS: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "plain": ({"prompt": "a lake", "strength": 0.5}, {"image": IMAGE}),
    "of a map": ({"prompt": "a lake", "strength": 0.8}, {"image": IMAGE, "map": MAP}),
    "of a mask and tools": ({"prompt": "rocks", "tools": list(WHERE)}, {"image": IMAGE, "mask": MAP}),
    "of a soft mask": ({"prompt": "rocks", "soft": "true"}, {"image": IMAGE, "mask": MAP}),
    "of layers": ({"prompt": "a lake", "layers": json.dumps(LAYERS)}, {"image": IMAGE, "left": MAP}),
    "extended": ({"prompt": "a lake", "extend": "8,0,16,0", "size": "96x64"}, {"image": IMAGE}),
    "that keeps": ({"prompt": "a lake", "keep": "0.8"}, {"image": IMAGE}),
    "with detail": ({"prompt": "a lake", "strength": 0.6, "detail": "0.5"}, {"image": IMAGE}),
    "varied": ({"prompt": "a lake", "strength": 0.6, "variation": "3,0.2"}, {"image": IMAGE}),
    "of nothing": ({"prompt": "a lake"}, {}),
    "as JPEG": ({"prompt": "a lake", "strength": 0.5, "format": "jpeg"}, {"image": IMAGE}),
    "as WebP": ({"prompt": "a lake", "strength": 0.5, "format": "webp"}, {"image": IMAGE}),
    "of no strength": ({"prompt": "a lake", "strength": 0}, {"image": IMAGE}),
}


def by_library(editor: Editor, fields: dict[str, Any], files: dict[str, bytes]) -> bytes:
    """The file that the library makes of the same."""
    told = {**SMALL, **fields}
    format, tools, soft = told.pop("format", "png"), told.pop("tools", ()), told.pop("soft", None) is not None
    layers = [
        Layer(files[layer["map_part"]], layer["prompt"], layer["strength"])
        for layer in json.loads(told.pop("layers", "[]"))
    ]
    for name in ("keep", "detail"):
        if name in told:
            told[name] = float(told[name])
    if "image" not in files:
        result = editor.generate(**told)
    else:
        image = decode.load(files["image"])
        marks = Marks(map=files.get("map"), mask=files.get("mask"), soft=soft, tools=tools, layers=layers)
        options, _ = marks.of(image)
        result = editor.edit(image, **{**told, **options})
    return encode(result.pixels, format.upper(), [result.recipe])


@pytest.mark.parametrize("name", EDITS)
def test_a_result_is_the_librarys_byte_for_byte(name: str, http: Http, editor: Editor) -> None:
    fields, files = EDITS[name]
    data = {**{n: str(v) for n, v in SMALL.items()}, **fields, "wait": "true"}
    answer = http.post("/v1/edits", data=data, files=files or {"format": (None, "png")})
    assert answer.status_code == 200, answer.text
    format = fields.get("format", "png")
    assert answer.headers["content-type"] == f"image/{format}"
    assert answer.content == by_library(editor, fields, files)


@pytest.mark.case("I30")
def test_json_makes_the_same_as_a_form(http: Http, editor: Editor, sent: str) -> None:
    told = {**SMALL, "prompt": "a lake", "strength": 0.8, "wait": True}
    text = {name: base64.b64encode(data).decode() for name, data in (("image", IMAGE), ("map", MAP))}
    layers = [{"map": "data:image/png;base64," + text["map"], "prompt": "snow", "strength": 0.7}]
    expected = by_library(editor, *EDITS["of a map"])
    map_id = http.post("/v1/pictures", content=MAP, headers={"content-type": "image/png"}).json()["id"]
    assert http.post("/v1/edits", json={**told, **text}).content == expected
    assert http.post("/v1/edits", json={**told, "image_id": sent, "map_id": map_id}).content == expected
    assert http.post("/v1/edits?wait=1", json={"params": told | {"wait": None}, **text}).status_code == 422
    del told["strength"]
    answer = http.post("/v1/edits", json={**told, "image_id": sent, "layers": layers})
    assert answer.content == by_library(editor, *EDITS["of layers"])


@pytest.mark.case("X06", "X12")
def test_what_a_result_is_sent_with(http: Http) -> None:
    data = {**{name: str(value) for name, value in SMALL.items()}, "prompt": '../a"\r\nb: c', "strength": "0.5"}
    files = {"image": ("../../evil.html", IMAGE, "text/html")}
    job = http.post("/v1/edits?wait=true", data=data, files=files, headers={"accept": "application/json"}).json()
    answer = http.get(f"/v1/jobs/{job['id']}/result", headers={"range": "bytes=0-3"})
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)
    told = answer.headers
    assert told["content-type"] == "image/png"
    assert told["content-disposition"] == f'inline; filename="{job["id"]}.png"'
    assert told["content-security-policy"] == "default-src 'none'; sandbox"
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-overpaint-job"] == job["id"]
    assert (told["x-overpaint-seed"], told["x-overpaint-t0"]) == ("7", "499")
    assert told["x-overpaint-steps-run"] == "2"
    assert 0 < float(told["x-overpaint-signal"]) < 1
    assert "accept-ranges" not in told
    tag = told["etag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        same = http.get(f"/v1/jobs/{job['id']}/result", headers={"if-none-match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert http.get(f"/v1/jobs/{job['id']}/result", headers={"if-none-match": '"x"'}).status_code == 200


def test_a_job_tells_of_itself(http: Http) -> None:
    job = edited(http, prompt="a lake", strength=0.5, fidelity=True, image=base64.b64encode(IMAGE).decode())
    told = answers.Job.model_validate(job)
    assert (told.state, told.seed, told.t0, told.model, told.format) == ("done", 7, 499, "embedded", "png")
    assert told.params["prompt"] == "a lake"
    assert told.fidelity is not None
    assert -1 <= told.fidelity["ssim"] <= 1
    assert told.facts is not None
    assert told.facts["recipe"]["params"]["strength"] == 0.5
    assert job == http.get(f"/v1/jobs/{job['id']}").json()


def test_who_takes_pictures_too_gets_the_picture(http: Http) -> None:
    told = {**SMALL, "prompt": "a lake", "wait": True}
    for accept, kind in (("*/*", "image/png"), ("image/*, application/json", "image/png")):
        assert http.post("/v1/edits", json=told, headers={"accept": accept}).headers["content-type"] == kind


@pytest.mark.case("I34")
def test_many_who_ask_for_the_same_at_once_get_the_same(http: Http) -> None:
    def ask(_: int) -> bytes:
        return http.post("/v1/edits?wait=true", data={"prompt": "a lake", **told}, files={"image": image}).content

    image, told = picture(96, 64, seed=5), {name: str(value) for name, value in SMALL.items()}
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


@pytest.mark.case("Q05")
def test_a_drawn_seed_is_told_and_makes_the_same_again(http: Http) -> None:
    job = edited(http, prompt="a lake", seed=-1)
    assert 0 <= job["seed"] < 2**53
    again = edited(http, prompt="a lake", seed=job["seed"])
    one, other = (http.get(f"/v1/jobs/{j['id']}/result").content for j in (job, again))
    assert one == other


# ---- asking and waiting ----------------------------------------------------------------------------------------------


def test_an_edit_is_a_job_that_is_stored_at_once(http: Http) -> None:
    answer = http.post("/v1/edits", json={**SMALL, "prompt": "a lake"})
    job = answers.Job.model_validate(answer.json())
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job.id}"
    assert job.state in ("queued", "running", "done")
    assert ended(http, job.id)["state"] == "done"


def test_an_idempotency_key_gives_the_same_job(http: Http) -> None:
    told = {**SMALL, "prompt": "a lake", "seed": -1}
    first = http.post("/v1/edits", json=told, headers={"idempotency-key": "again"})
    second = http.post("/v1/edits", json={**told, "idempotency_key": "again"})
    assert first.json()["id"] == second.json()["id"]
    other = http.post("/v1/edits", json={**told, "prompt": "another"}, headers={"idempotency-key": "again"})
    assert error_of(other, 409)["code"] == "idempotency_key_reused"
    assert other.headers["x-should-retry"] == "false"
    bad = http.post("/v1/edits", json=told, headers={"idempotency-key": "a b"})
    assert error_of(bad, 422)["param"] == "idempotency_key"


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for number, block in enumerate(re.split(r"\n\n(?!:)", text.rstrip()), 1):
        match = re.fullmatch(r"(?:: still here\n\n)*id: (\d+)\nevent: (\w+)\ndata: (.*)", block)
        assert match, block
        assert int(match[1]) == number
        found.append((match[2], json.loads(match[3])))
    return found


def test_events_follow_a_job_to_its_end(http: Http) -> None:
    id = http.post("/v1/edits", json={**SMALL, "prompt": "a lake", "steps": 20, "strength": 1}).json()["id"]
    answer = http.get(f"/v1/jobs/{id}/events?preview=true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events_of(answer.text)
    kinds = [kind for kind, _ in told]
    assert kinds[-1] == "done"
    assert set(kinds[:-1]) <= {"queued", "running", "step"}
    answers.Job.model_validate(told[-1][1])
    assert all(data["id"] == id for _, data in told)
    steps = [data["step"] for kind, data in told if kind == "step"]
    assert steps == sorted(steps)
    assert events_of(http.get(f"/v1/jobs/{id}/events").text) == told[-1:]


def test_events_of_a_job_that_is_unknown_do_not_begin(http: Http) -> None:
    assert error_of(http.get(f"/v1/jobs/{UNKNOWN}/events"), 404)["code"] == "not_found"


def test_a_stream_shows_that_it_is_alive() -> None:
    async def slow() -> Any:
        yield b"a"
        await asyncio.sleep(0.25)
        yield b"b"

    async def heard() -> list[bytes]:
        return [chunk async for chunk in streams.beating(slow(), 0.1, b":")]

    assert asyncio.run(heard()) == [b"a", b":", b":", b"b"]


def test_a_stream_that_is_left_lets_go_of_what_it_tells() -> None:
    left = []

    async def endless() -> Any:
        try:
            yield b"a"
            await asyncio.sleep(60)
        finally:
            left.append(True)

    async def leave() -> None:
        async def listen() -> None:
            async for _ in streams.beating(endless(), 60, b":"):
                pass

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        listening.cancel()
        await asyncio.wait([listening])

    asyncio.run(leave())
    assert left == [True]


@pytest.mark.case("S06")
def test_who_waits_and_goes_away_while_it_runs_cancels_it(http: Http) -> None:
    raw = Raw(http, "POST", "/v1/edits", json.dumps({**LONG, "wait": True}).encode())
    (id,) = eventually(lambda: jobs_in(http, "running"))
    raw.leave()
    assert ended(http, id)["state"] == "cancelled"
    assert raw.sent == []


@pytest.mark.case("S05")
def test_who_waits_and_goes_away_before_it_runs_cancels_it(http: Http, busy: str) -> None:
    raw = Raw(http, "POST", "/v1/edits", json.dumps({**LONG, "wait": True}).encode())
    (id,) = eventually(lambda: jobs_in(http, "queued"))
    raw.leave()
    job = http.get(f"/v1/jobs/{id}").json()
    assert (job["state"], job["started"]) == ("cancelled", None)
    assert http.get(f"/v1/jobs/{busy}").json()["state"] == "running"


def test_who_listens_and_goes_away_cancels_nothing(http: Http, busy: str) -> None:
    raw = Raw(http, "GET", f"/v1/jobs/{busy}/events")
    eventually(lambda: len(raw.sent) > 2)
    raw.leave()
    assert raw.sent[0]["status"] == 200
    assert http.get(f"/v1/jobs/{busy}").json()["state"] == "running"


def test_who_listens_to_a_job_that_waits_hears_that_the_server_lives(
    http: Http, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert routes_jobs.KEEP_ALIVE == 15  # proxies give up after 30 to 60 s
    monkeypatch.setattr(routes_jobs, "KEEP_ALIVE", 0.05)
    waiting = long_job(http)
    raw = Raw(http, "GET", f"/v1/jobs/{waiting}/events")
    eventually(lambda: any(message.get("body") == b": still here\n\n" for message in raw.sent))
    raw.leave()
    assert http.delete(f"/v1/jobs/{waiting}").json()["started"] is None


@pytest.mark.case("S08")
def test_cancelling(http: Http, busy: str) -> None:
    waiting = long_job(http)
    assert http.delete(f"/v1/jobs/{waiting}").json()["state"] == "cancelled"
    assert http.delete(f"/v1/jobs/{busy}").status_code == 200
    assert ended(http, busy)["state"] == "cancelled"
    for id in (waiting, busy):
        assert error_of(http.delete(f"/v1/jobs/{id}"), 409)["code"] == "ended"
        assert error_of(http.get(f"/v1/jobs/{id}/result"), 409)["code"] == "cancelled"
    assert error_of(http.delete(f"/v1/jobs/{UNKNOWN}"), 404)["code"] == "not_found"


def test_a_result_that_is_not_there_yet(http: Http, busy: str) -> None:
    answer = http.get(f"/v1/jobs/{busy}/result")
    assert error_of(answer, 409)["code"] == "not_done"
    assert int(answer.headers["retry-after"]) >= 1
    assert error_of(http.get(f"/v1/jobs/{UNKNOWN}/result"), 404)["code"] == "not_found"


@pytest.mark.case("S10")
def test_who_waits_hears_that_the_time_is_up(http: Http) -> None:
    answer = http.post("/v1/edits", json={**LONG, "wait": True, "deadline": 0.3})
    assert error_of(answer, 504)["code"] == "deadline"
    assert answer.headers["x-should-retry"] == "false"


def test_who_waits_hears_that_the_store_is_gone(there: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise StoreError("/somewhere/jobs.sqlite cannot be read")
        yield

    monkeypatch.setattr(there.service, "watch", broken)
    answer = http.post("/v1/edits", json={**SMALL, "prompt": "a lake", "wait": True})
    assert error_of(answer, 503)["code"] == "storage_unavailable"
    assert "somewhere" not in answer.text


def test_a_result_that_is_not_kept_any_more(there: Server, http: Http) -> None:
    id = edited(http, prompt="gone")["id"]
    there.service.files.remove_results([id])
    assert error_of(http.get(f"/v1/jobs/{id}/result"), 410)["code"] == "result_gone"


@pytest.mark.case("S01", "S02")
def test_a_full_queue_is_said_before_anything_else(
    there: Server, http: Http, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(there.service, "settings", replace(there.service.settings, queue=1))
    waiting = long_job(http)
    try:
        for fields in ({}, {"wait": True}):
            started = time.monotonic()
            answer = http.post("/v1/edits", json={**LONG, **fields})
            assert time.monotonic() - started < 0.5
            assert error_of(answer, 429)["code"] == "queue_full"
            assert int(answer.headers["retry-after"]) > 0
        body = b"this is not read, so nobody says that it is no JSON"
        answer = http.post("/v1/sweeps", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 429
        for path in ("/livez", "/readyz", "/metrics", f"/v1/jobs/{waiting}"):
            assert http.get(path).status_code == 200
    finally:
        http.delete(f"/v1/jobs/{waiting}")


@pytest.mark.case("S03")
def test_uploads_that_are_decoded_hold_up_nothing_else(
    there: Server, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = asyncio.Event()

    def slow(order: Any, owner: str) -> Any:
        asyncio.run_coroutine_threadsafe(let_go.wait(), http.loop).result(20)
        raise AssertionError("nobody waits for it")

    monkeypatch.setattr(there.service, "submit", slow)
    uploads = there.service.settings.uploads
    raws = [Raw(http, "POST", "/v1/edits", json.dumps(LONG).encode()) for _ in range(uploads)]
    time.sleep(0.3)
    for path in ("/livez", "/readyz", "/metrics", "/v1/jobs", "/v1/models"):
        started = time.monotonic()
        assert http.get(path).status_code == 200
        assert time.monotonic() - started < 2
    one_more = http.post("/v1/edits", json=LONG)
    assert error_of(one_more, 503)["code"] == "too_many_uploads"
    http.loop.call_soon_threadsafe(let_go.set)
    for raw in raws:
        raw.task.result(20)
        assert raw.sent[0]["status"] == 500


# ---- lists of jobs, sweeps -------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_in_pages(http: Http) -> None:
    made = [edited(http, prompt=f"number {i}")["id"] for i in range(3)]
    page = answers.JobList.model_validate(http.get("/v1/jobs?limit=2").json())
    assert [job.id for job in page.data] == made[:0:-1]
    assert page.has_more
    rest = http.get(f"/v1/jobs?limit=1&before={page.data[-1].id}").json()
    assert [job["id"] for job in rest["data"]] == made[:1]
    assert http.get(f"/v1/jobs?before={UNKNOWN}").json() == {"object": "list", "data": [], "has_more": False}
    assert {job["state"] for job in http.get("/v1/jobs?state=done").json()["data"]} == {"done"}


def test_parameters_of_the_url_that_are_unknown_are_not_passed_over(http: Http) -> None:
    error = error_of(http.get("/v1/jobs?status=done&statee=done"), 422)
    assert (error["code"], error["param"]) == ("unknown_parameter", "status")
    assert "near it are state" in error_of(http.get("/v1/jobs?stat=done"), 422)["message"]
    assert error_of(http.post("/v1/edits?strength=0.5", json={"prompt": "x"}), 422)["param"] == "strength"
    assert "known are none" in error_of(http.get("/v1/models?x=1"), 422)["message"]


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("state=x", "state")]
)
def test_parameters_of_the_url_are_checked_in_the_same_form(http: Http, query: str, param: str) -> None:
    error = error_of(http.get(f"/v1/jobs?{query}"), 422)
    assert (error["code"], error["param"]) == ("invalid_parameter", param)


def test_a_sweep_is_a_job_for_each_of_its_edits(http: Http, editor: Editor) -> None:
    told = {**SMALL, "prompt": "a lake", "image": base64.b64encode(IMAGE).decode()}
    answer = http.post("/v1/sweeps", json={**told, "strengths": [0.3, 0.6], "against": {"guidance_scale": [1, 4]}})
    assert answer.status_code == 202
    sweep = answers.Sweep.model_validate(answer.json())
    assert answer.headers["location"] == f"/v1/sweeps/{sweep.id}"
    for job in sweep.jobs:
        ended(http, job.id)
    jobs = http.get(f"/v1/sweeps/{sweep.id}").json()["jobs"]
    assert [(j["params"]["guidance_scale"], j["params"]["strength"]) for j in jobs] == [
        (1, 0.3),
        (1, 0.6),
        (4, 0.3),
        (4, 0.6),
    ]
    found = [http.get(f"/v1/jobs/{job['id']}/result").content for job in jobs]
    library = editor.sweep(IMAGE, "a lake", strengths=[0.3, 0.6], against={"guidance_scale": [1, 4]}, **SMALL)
    assert found == [encode(result.pixels, "PNG", [result.recipe]) for result in library]


def test_a_sweep_of_seeds_in_a_form_and_its_end(http: Http, busy: str) -> None:
    data = {"prompt": "a lake", "strengths": "0.5", "count": "3", "seed": "5", "size": "64x64"}
    sweep = http.post("/v1/sweeps", data=data, files={"image": IMAGE}).json()
    assert [job["seed"] for job in sweep["jobs"]] == [5, 6, 7]
    states = {job["state"] for job in http.delete(f"/v1/sweeps/{sweep['id']}").json()["jobs"]}
    assert states == {"cancelled"}
    assert http.delete(f"/v1/sweeps/{sweep['id']}").status_code == 200
    assert error_of(http.get(f"/v1/sweeps/{UNKNOWN}"), 404)["code"] == "not_found"
    assert error_of(http.delete(f"/v1/sweeps/{UNKNOWN}"), 404)["code"] == "not_found"


@pytest.mark.case("Q06", "Q07")
def test_more_than_may_be_asked_for_at_once(http: Http) -> None:
    told = {**SMALL, "prompt": "a lake"}
    many = {"against": {"seed": list(range(100))}, "strengths": [0.5] * 11, "image": base64.b64encode(IMAGE).decode()}
    assert error_of(http.post("/v1/sweeps", json={**told, **many}), 422)["param"] == "strengths"
    assert error_of(http.post("/v1/sweeps", json={**told, "count": MAX_COUNT + 1}), 422)["param"] == "count"
    huge = {**told, "size": "16384x16384", "steps": 1000}
    assert error_of(http.post("/v1/edits", json=huge), 422)["type"] == "invalid_request_error"
