"""What is wrong with a request, and what there is beside jobs: pictures, lists, health; and who may use them."""

import base64
import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.routing import iter_route_contexts
from http_app import (
    LONG,
    SMALL,
    UNKNOWN,
    Http,
    Server,
    edited,
    error_of,
    eventually,
    file_of,
    jobs_in,
    long_job,
    picture,
    server,
)
from PIL import Image
from starlette.routing import Mount

from overpaint.describe import describe, tell
from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.params import SAMPLERS, specs
from overpaint.presets import presets_for
from overpaint.server import answers, reading
from overpaint.server.app import PUBLIC, Measured, make_api
from overpaint.server.keys import Keys

IMAGE = picture()


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


# ---- what is wrong with a request ------------------------------------------------------------------------------------

NOISE = bytes(np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8))


@pytest.mark.case("I01", "I02", "I03", "I04", "I06", "M07")
@pytest.mark.parametrize(
    ("part", "data", "status"),
    [
        ("image", b"", 415),
        ("image", NOISE, 415),
        ("image", b"<html><script>alert(1)</script></html>", 415),
        ("image", b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415),
        ("image", b"%PDF-1.7", 415),
        ("image", IMAGE[: len(IMAGE) // 2], 422),
        ("image", file_of(np.zeros((13000, 13000), bool)), 413),
        ("map", NOISE, 415),
        ("mask", IMAGE[: len(IMAGE) // 2], 422),
        ("scribble", b"", 415),
        ("changed_from", file_of(np.zeros((13000, 13000), bool)), 413),
    ],
)
def test_pictures_that_cannot_be_used_are_told_by_their_part(http: Http, part: str, data: bytes, status: int) -> None:
    files = {"image": IMAGE, part: ("picture.png", data, "image/png")}
    error = error_of(http.post("/v1/edits", data={"prompt": "a lake"}, files=files), status)
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_image", part)


@pytest.mark.case("Q08", "P02", "P04")
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"prompt": "x" * 100_000}, 422, "prompt"),
        ({"prompt": "a\x00b"}, 422, "prompt"),
        ({"prompt": "\ud800"}, 422, "prompt"),
        ({"prompt": "x", "sampler": "none"}, 422, "sampler"),
        ({"prompt": "x", "model": "another"}, 404, "model"),
        ({"prompt": "x", "cfg_scale": 3}, 422, "cfg_scale"),
        ({"prompt": "x", "keep": 0.5}, 422, "keep"),
        ({"prompt": "x", "strength": 0.5}, 422, "strength"),
        ({"prompt": "x", "tools": ["box:0,0,9,9"]}, 422, "image"),
        ({"prompt": "x", "image_id": UNKNOWN}, 404, "image_id"),
        ({"prompt": "x", "image_id": "../../etc/passwd"}, 404, "image_id"),
        ({"prompt": "x", "image_url": "http://127.0.0.1/"}, 422, "image_url"),
        ({"prompt": "x", "deadline": 100_000}, 422, "deadline"),
        ({"image": base64.b64encode(IMAGE).decode(), "tools": ["nothing:1"]}, 422, None),
        ({"image": base64.b64encode(IMAGE).decode(), "layers": [{"map": "AAAA", "prompt": "x"}]}, 415, "layers[0].map"),
    ],
)
def test_parameters_that_cannot_be_used(http: Http, fields: dict[str, Any], status: int, param: str | None) -> None:
    body = json.dumps(fields).encode()  # which writes half a character as an escape, that httpx refuses
    error = error_of(http.post("/v1/edits", content=body, headers={"content-type": "application/json"}), status)
    assert param is None or error["param"] == param
    assert len(error["message"]) < 1000


@pytest.mark.case("X01", "X03")
def test_pictures_are_fetched_where_that_is_allowed(
    tmp_path: Path, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(url: str, *, most_bytes: int, seconds: float) -> bytes:
        asked.append((url, most_bytes, seconds))
        return IMAGE

    with server(tmp_path, editor, image_urls=True, body_megabytes=3, body_seconds=7.0) as served:
        http, told = served.http, {**SMALL, "prompt": "a lake", "strength": 0.5, "wait": True}
        private = http.post("/v1/edits", json={**told, "image_url": "http://127.0.0.1:1/a.png"})
        assert error_of(private, 422)["param"] == "image_url"
        assert (
            error_of(http.post("/v1/pictures", json={"image_url": "file:///etc/passwd"}), 422)["code"] == "url_refused"
        )
        monkeypatch.setattr(reading, "fetch", fetch)
        fetched = http.post("/v1/edits", json={**told, "image_url": "https://example.com/a.png"})
        sent = http.post("/v1/edits", json={**told, "image": base64.b64encode(IMAGE).decode()})
        assert fetched.content == sent.content
        assert http.post("/v1/pictures", json={"image_url": "https://example.com/a.png"}).json()["width"] == 64
        assert asked == [("https://example.com/a.png", 3_000_000, 7.0)] * 2


def test_another_model_is_told_which_one_is_served(http: Http) -> None:
    error = error_of(http.post("/v1/edits", json={"prompt": "x", "model": "sdxl"}), 404)
    assert "'embedded'" in error["message"]
    assert http.post("/v1/edits", json={**SMALL, "prompt": "x", "model": "embedded"}).status_code == 202


@pytest.mark.case("X05")
@pytest.mark.parametrize(
    "name",
    ["output", "out", "folder", "path", "save_to", "override_settings", "device", "dtype", "download", "threads"],
)
def test_nothing_of_the_server_can_be_set_by_a_request(http: Http, name: str) -> None:
    for path in ("/v1/edits", "/v1/sweeps"):
        error = error_of(http.post(path, json={"prompt": "x", name: "/tmp/x"}), 422)
        assert (error["code"], error["param"]) == ("unknown_parameter", name)
        error_of(http.post(path, json={"prompt": "x", "params": {name: "/tmp/x"}}), 422)


@pytest.mark.case("Q09", "Q10", "Q11")
@pytest.mark.parametrize(
    ("path", "body", "content_type", "status"),
    [
        ("/v1/edits", b"{", "application/json", 400),
        ("/v1/edits", b"[]", "application/json", 400),
        ("/v1/edits", b'"x"', "application/json", 400),
        ("/v1/edits", b'{"seed": 1, "seed": 2}', "application/json", 400),
        ("/v1/edits", b'{"a":' * 200_000, "application/json", 400),
        ("/v1/edits", b'{"image": 3}', "application/json", 422),
        ("/v1/edits", b"x", "multipart/form-data", 400),
        ("/v1/edits", b"--x\r\n", "multipart/form-data; boundary=x", 400),
        ("/v1/edits", b"prompt=x", "application/x-www-form-urlencoded", 415),
        ("/v1/edits", b"x", "text/plain", 415),
        ("/v1/edits", b"{}", "", 415),
        ("/v1/sweeps", b"x", "image/png", 415),
        ("/v1/pictures", b"x", "text/plain", 415),
        ("/v1/pictures", b"{}", "application/json", 422),
        ("/v1/pictures", b'{"image": "?"}', "application/json", 400),
        ("/v1/pictures", b'{"image": 1}', "application/json", 422),
        ("/v1/pictures", b'{"picture": ""}', "application/json", 422),
        ("/v1/pictures", b'{"image_url": "http://example.com/"}', "application/json", 422),
        ("/v1/pictures", b"[]", "application/json", 400),
        ("/v1/pictures", NOISE, "image/png", 415),
        ("/v1/pictures", b"", "image/png", 415),
    ],
)
def test_bodies_that_cannot_be_read(http: Http, path: str, body: bytes, content_type: str, status: int) -> None:
    headers = {"content-type": content_type} if content_type else {}
    error_of(http.post(path, content=body, headers=headers), status)


@pytest.mark.case("Q10")
def test_a_compressed_body_is_not_taken(http: Http) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    error_of(http.post("/v1/edits", content=b"\x1f\x8b", headers=headers), 415)


def test_paths_and_methods_that_there_are_not(http: Http) -> None:
    for path in ("/studio", "/v1", "/v1/jobs/", "/v1/edits/x", "/docs", "/redoc", "/v1/jobs/a/b"):
        assert error_of(http.get(path), 404)["code"] == "not_found"
    answer = http.delete("/v1/edits")
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


@pytest.mark.case("X04")
@pytest.mark.parametrize(
    "id", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "%252e%252e", "a%00b", "%5c%5cunc", "C:", UNKNOWN.upper(), "a" * 5000]
)
def test_an_id_never_becomes_a_path(http: Http, id: str) -> None:
    for path in ("/v1/jobs/{}", "/v1/jobs/{}/result", "/v1/jobs/{}/events", "/v1/sweeps/{}", "/v1/pictures/{}/view"):
        error_of(http.get(path.format(id)), 404)


@pytest.mark.case("X11")
def test_our_own_faults_are_told_without_their_insides(
    there: Server, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the secret is in /home/someone/key")

    monkeypatch.setattr(there.service, "submit", broken)
    answer = http.post("/v1/edits", json={"prompt": "x"})
    error = error_of(answer, 500)
    assert (error["type"], error["code"]) == ("server_error", "internal")
    assert answer.headers["x-should-retry"] == "false"
    for word in ("secret", "home", "Traceback", "RuntimeError", ".py"):
        assert word not in answer.text


@pytest.mark.case("S13")
def test_an_edit_that_fails_is_told_to_who_waits(
    there: Server, http: Http, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the network burst in /home/someone")

    monkeypatch.setattr(editor.model, "predict", broken)
    answer = http.post("/v1/edits", json={**SMALL, "prompt": "a lake that fails", "wait": True})
    error_of(answer, 500)
    assert answer.headers["x-should-retry"] == "false"
    assert "home" not in answer.text
    monkeypatch.undo()
    assert edited(http, prompt="a lake")["state"] == "done"
    (failed,) = http.get("/v1/jobs?state=failed&limit=1").json()["data"]
    told = answers.Job.model_validate(failed)
    assert told.error is not None
    assert "home" not in told.error.message


# ---- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_is_sent_ahead_in_four_ways(http: Http) -> None:
    text = base64.b64encode(IMAGE).decode()
    made = [
        http.post("/v1/pictures", files={"image": IMAGE}),
        http.post("/v1/pictures", json={"image": f"data:image/png;base64,{text}"}),
        http.post("/v1/pictures", content=IMAGE, headers={"content-type": "image/anything"}),
        http.post("/v1/pictures", content=IMAGE, headers={"content-type": "application/octet-stream"}),
    ]
    for answer in made:
        told = answers.Picture.model_validate(answer.json())
        assert (answer.status_code, told.width, told.height, told.notes) == (201, 64, 64, [])
        assert http.get(answer.headers["location"]).json() == answer.json()
    for files in ({"image": IMAGE, "other": IMAGE}, {"other": IMAGE}):
        assert error_of(http.post("/v1/pictures", files=files), 400)["code"] == "unknown_part"
    error_of(http.post("/v1/pictures", files={"image": (None, text)}), 400)
    empty = b'--x\r\ncontent-disposition: form-data; name="image"; filename=""\r\n\r\n\r\n--x--\r\n'
    answer = http.post("/v1/pictures", content=empty, headers={"content-type": "multipart/form-data; boundary=x"})
    assert error_of(answer, 422)["code"] == "missing_parameter"


@pytest.mark.case("X06")
def test_a_picture_comes_back_as_we_wrote_it(http: Http, sent: str) -> None:
    answer = http.get(f"/v1/pictures/{sent}/view")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == f'inline; filename="{sent}-view.png"'
    seen = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert np.array_equal(seen, np.asarray(Image.open(io.BytesIO(IMAGE))))
    same = http.get(f"/v1/pictures/{sent}/view", headers={"if-none-match": answer.headers["etag"]})
    assert same.status_code == 304
    polyglot = IMAGE + b"<script>alert(1)</script>"
    stored = http.post("/v1/pictures", content=polyglot, headers={"content-type": "text/html"})
    assert stored.status_code == 415
    stored = http.post("/v1/pictures", content=polyglot, headers={"content-type": "image/svg+xml"})
    assert b"script" not in http.get(f"/v1/pictures/{stored.json()['id']}/view").content


def test_what_noise_leaves_of_a_picture(http: Http, sent: str, editor: Editor) -> None:
    answer = http.get(f"/v1/pictures/{sent}/noised?strength=0.5&seed=3&size=64x64")
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["x-overpaint-seed"], answer.headers["x-overpaint-t0"]) == ("3", "499")
    (expected,) = editor.noised(IMAGE, [0.5], seed=3, size=(64, 64))
    assert answer.content == encode(expected.pixels, "PNG", [expected.recipe])
    same = http.get(answer.url, headers={"if-none-match": answer.headers["etag"]})
    assert same.status_code == 304
    for query, param in (
        ("", "strength"),
        ("strength=2", "strength"),
        ("strength=nan", "strength"),
        ("strength=0.5&seed=x", "seed"),
        ("strength=0.5&seed=-2", "seed"),
        ("strength=0.5&size=1", "size"),
        ("strength=0.5&fit=x", "fit"),
        ("strength=0.5&format=gif", "format"),
    ):
        assert error_of(http.get(f"/v1/pictures/{sent}/noised?{query}"), 422)["param"] == param


def test_maps_are_tried_out(http: Http, sent: str) -> None:
    answer = http.post(f"/v1/pictures/{sent}/select", json={"tools": ["box:8,8,16,16"]})
    seen = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert (seen.shape, seen.sum() // 255) == ((64, 64), 256)
    for body in ({}, {"tools": []}, {"tools": [1]}, {"tools": ["nothing:1"]}, {"tool": ["invert"]}):
        error_of(http.post(f"/v1/pictures/{sent}/select", json=body), 422)
    error_of(http.post(f"/v1/pictures/{sent}/select", files={"tools": b"x"}), 415)


def test_a_picture_is_described(http: Http, sent: str) -> None:
    answer = http.get(f"/v1/pictures/{sent}/describe")
    assert answer.json() == tell(describe(IMAGE))


def test_pictures_that_there_are_not(http: Http) -> None:
    for path in ("", "/view", "/noised?strength=0.5", "/describe"):
        assert error_of(http.get(f"/v1/pictures/{UNKNOWN}{path}"), 404)["code"] == "not_found"
    error_of(http.post(f"/v1/pictures/{UNKNOWN}/select", json={"tools": ["invert"]}), 404)


# ---- lists and health ------------------------------------------------------------------------------------------------


def test_lists_are_the_librarys(http: Http, editor: Editor) -> None:
    (model,) = answers.ModelList.model_validate(http.get("/v1/models").json()).data
    assert (model.id, model.native_size, model.licence) == ("embedded", editor.card.native_size, editor.card.licence)
    assert (model.device, model.dtype, model.hash) == ("cpu", "float32", editor.model.hash)
    presets = answers.PresetList.model_validate(http.get("/v1/presets").json())
    assert {p.name: p.strength for p in presets.data} == {n: p.strength for n, p in presets_for(editor.card).items()}
    samplers = answers.SamplerList.model_validate(http.get("/v1/samplers").json())
    assert tuple(s.name for s in samplers.data) == SAMPLERS
    tools = answers.ToolList.model_validate(http.get("/v1/tools").json())
    assert any(tool.form.startswith("box:") for tool in tools.data)
    parameters = answers.ParameterList.model_validate(http.get("/v1/parameters").json())
    assert [p.name for p in parameters.data] == [f.name for f, _ in specs()]
    steps = next(p for p in parameters.data if p.name == "steps")
    assert (steps.low, steps.high, steps.default) == (1, 1000, 30)


def test_what_survives_at_each_strength(http: Http) -> None:
    noise = answers.NoiseList.model_validate(http.get("/v1/noise?strengths=0.3,1").json())
    assert [(line.strength, line.t) for line in noise.data] == [(0.3, 299), (1.0, 999)]
    assert len(http.get("/v1/noise").json()["data"]) == 10
    for wrong in ("0", "2", "x", "0.5," * 101 + "1", ""):
        answer = http.get(f"/v1/noise?strengths={wrong}")
        assert error_of(answer, 422)["param"] in ("strength", "strengths")


def test_health_and_measurements(http: Http) -> None:
    assert http.get("/livez").json() == {"state": "ready", "reason": None}
    assert http.get("/readyz").json() == {"state": "ready", "reason": None}
    http.get(f"/v1/jobs/{UNKNOWN}")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    line = 'overpaint_http_requests_total{method="GET",route="/v1/jobs/{id}",status="404"}'
    assert line in answer.text
    assert UNKNOWN not in answer.text


@pytest.mark.case("S04", "S11")
def test_a_server_that_is_not_ready(tmp_path: Path, editor: Editor) -> None:
    with server(tmp_path, None) as served:
        http = served.http
        assert http.get("/livez").status_code == 200
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["state"]) == (503, "loading")
        for path in ("/v1/models", "/v1/presets", "/v1/noise"):
            answer = http.get(path)
            assert error_of(answer, 503)["code"] == "not_ready"
            assert int(answer.headers["retry-after"]) > 0
        error_of(http.post("/v1/edits", json={"prompt": "x"}), 503)
        assert http.get("/v1/jobs").status_code == 200
        served.service.start(editor)
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(http.post, "/v1/edits", json={**LONG, "wait": True})
            eventually(lambda: jobs_in(http, "running"))
            waiting = long_job(http)
            also_waits = pool.submit(http.get, f"/v1/jobs/{waiting}/events")
            served.service.drain(0)
            answer = waits.result(20)
            assert error_of(answer, 503)["code"] == "not_ready"
            assert answer.headers["location"].startswith("/v1/jobs/")
            assert also_waits.result(20).status_code == 200
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["state"]) == (503, "draining")
        error_of(http.post("/v1/edits", json={"prompt": "x"}), 503)


# ---- who may ---------------------------------------------------------------------------------------------------------


def test_jobs_and_pictures_are_their_owners_alone(there: Server) -> None:
    app, headers = there.with_keys("ann", "bob")
    http = Http(app)
    try:
        job = http.post("/v1/edits", json={**SMALL, "prompt": "mine"}, headers=headers["ann"]).json()["id"]
        image = http.post("/v1/pictures", files={"image": IMAGE}, headers=headers["ann"]).json()["id"]
        sweep = http.post("/v1/sweeps", json={**SMALL, "count": 2}, headers=headers["ann"]).json()["id"]
        for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/events", f"/v1/pictures/{image}", f"/v1/sweeps/{sweep}"):
            assert error_of(http.get(path, headers=headers["bob"]), 404)["code"] == "not_found"
            assert http.get(path, headers=headers["ann"]).status_code == 200
        for path in (f"/v1/jobs/{job}", f"/v1/sweeps/{sweep}"):
            error_of(http.delete(path, headers=headers["bob"]), 404)
        error_of(http.get(f"/v1/jobs/{job}/result", headers=headers["bob"]), 404)
        assert http.get("/v1/jobs", headers=headers["bob"]).json()["data"] == []
        borrowed = http.post("/v1/edits", json={"image_id": image}, headers=headers["bob"])
        assert error_of(borrowed, 404)["param"] == "image_id"
    finally:
        http.close()


def walked(routes: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route, those of included routers and of mounts too."""
    for route in iter_route_contexts(routes):
        if isinstance(route.route, Mount):
            yield from walked(route.route.routes, before + route.route.path)
        else:
            assert route.methods, f"what is {route.route!r}?"
            yield from ((method, f"{before}{route.path}") for method in sorted(route.methods))


@pytest.mark.case("X09")
def test_every_route_wants_a_key_or_is_public(there: Server) -> None:
    app, _ = there.with_keys("ann")
    api = make_api(there.service, Keys([("ann", "k" * 20)]), there.metrics, there.service.settings)
    found = set(walked(api.routes))
    assert len(found) >= 25
    # the files of the web page have one route, which wants a key for any other name
    files = {path for path in PUBLIC if path.startswith("/studio/")}
    assert PUBLIC - files == {"/livez", "/readyz", "/openapi.json", "/"}
    assert {path for _, path in found} >= PUBLIC - files | {"/studio/{name}"}
    found |= {("GET", path) for path in files}
    http = Http(app)
    try:
        for method, path in found:
            answer = http(method, re.sub(r"\{\w+\}", UNKNOWN, path))
            if path in PUBLIC:
                assert answer.status_code == 200, path
            else:
                assert answer.status_code == 401, path
                error = answer.json()["error"]  # the code itself, where AUTOMATIC1111's API is spoken
                assert (error if isinstance(error, str) else error_of(answer, 401)["code"]) == "no_key", path
                assert "www-authenticate" in answer.headers
    finally:
        http.close()


@pytest.mark.case("X07", "X08")
def test_pages_and_names_of_others_are_kept_out(http: Http) -> None:
    body = {"json": {**SMALL, "prompt": "x"}}
    assert http.post("/v1/edits", headers={"origin": "https://evil.example"}, **body).status_code == 403
    assert http.post("/v1/edits", headers={"sec-fetch-site": "cross-site"}, **body).status_code == 403
    assert http.get("/livez", headers={"host": "evil.example"}).status_code in (403, 421)
    assert "access-control-allow-origin" not in http.get("/v1/jobs").headers


def test_what_is_measured_is_outside_the_guard(there: Server) -> None:
    assert isinstance(there.http.app, Measured)
    before = there.metrics.render()[0].decode()
    there.http.get("/livez", headers={"host": "evil.example"})
    after = there.metrics.render()[0].decode()
    pattern = r'overpaint_http_requests_total\{method="GET",route="other",status="421"\} (\S+)'
    counts = [float(found[1]) if (found := re.search(pattern, text)) else 0.0 for text in (before, after)]
    assert counts[1] == counts[0] + 1
