"""What the server does for its web page: its files, who may come to them, recipes read for it, and the command."""

import base64
import io
import json
import os
import socket
import threading
import tomllib
import webbrowser
import zlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from http_app import Http, Raw, Server, edited, error_of, grey_map, picture, server
from live import LiveServer
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from overpaint import Editor, decode, read_recipe
from overpaint.cli import studio
from overpaint.cli.app import app
from overpaint.maps import load_map, maptext
from overpaint.server import answers
from overpaint.server.app import PUBLIC

FILES = {one.name: one.read_bytes() for one in files("overpaint.studio").iterdir() if one.is_file()}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
OPENED = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}  # as browsers open a page


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, editor: Editor) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("studio"), editor) as served:
        yield served


@pytest.fixture(scope="module")
def http(there: Server) -> Http:
    return there.http


# ---- the page's files ------------------------------------------------------------------------------------------------


def test_the_page_and_each_of_its_files(http: Http) -> None:
    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
    names = [name for name in FILES if Path(name).suffix in types]
    assert {"main.js", "style.css", "icon.svg"} <= {*names}
    served = {"/": ("index.html", "text/html; charset=utf-8")}
    served |= {f"/studio/{name}": (name, types[Path(name).suffix]) for name in names}
    assert {path for path in PUBLIC if path == "/" or path.startswith("/studio/")} == {*served}
    for path, (name, kind) in served.items():
        answer = http.get(path)
        assert (answer.status_code, answer.content) == (200, FILES[name])
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert len({http.get(path).headers["etag"] for path in served}) == len(served)


@pytest.mark.parametrize("path", ["/", "/studio/main.js"])
def test_what_a_browser_has_is_not_sent_again(http: Http, path: str) -> None:
    tag = http.get(path).headers["etag"]
    same = http.get(path, headers={"if-none-match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    # which a browser writes over what it keeps: another policy would leave the page without scripts
    assert same.headers["content-security-policy"] == POLICY
    assert same.headers["cache-control"] == "no-cache"
    assert http.get(path, headers={"if-none-match": '"x"'}).status_code == 200


@pytest.mark.case("X04")
@pytest.mark.parametrize(
    "path",
    [
        *("/studio", "/studio/", "/studio/.", "/studio/..", "/studio/../server/app.py", "/studio//main.js"),
        *("/studio/main.js/", "/studio/MAIN.JS", "/studio/main.js\0", "/studio/./main.js", "/studio/x/../main.js"),
        *("/studio/__init__.py", "/studio/index.html", "/studio/none.js", "//", "/index.html", "/studio/" + "a" * 5000),
    ],
)
def test_only_names_that_there_are(http: Http, path: str) -> None:
    raw = Raw(http, "GET", path)  # as it is; a client would tidy it up
    raw.task.result(20)
    assert raw.sent[0]["status"] == 404


@pytest.mark.case("X04")
@pytest.mark.parametrize("name", ["%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e%252e", "..%5cmain.js", "main.js%00"])
def test_escapes_lead_nowhere(http: Http, name: str) -> None:
    assert error_of(http.get(f"/studio/{name}"), 404)["code"] == "not_found"


def test_the_page_is_only_read(http: Http) -> None:
    for method in ("POST", "DELETE", "PUT"):
        assert error_of(http(method, "/"), 405)["code"] == "method_not_allowed"


def test_the_page_needs_no_key_and_what_it_asks_for_does(there: Server) -> None:
    keyed, headers = there.with_keys("ann")
    http = Http(keyed)
    try:
        for path in ("/", "/studio/main.js", "/studio/style.css", "/studio/icon.svg"):
            assert http.get(path).status_code == 200
        for path in ("/studio/none.js", "/studio/", "/studio/index.html", "/v1/models"):
            assert error_of(http.get(path), 401)["code"] == "no_key"
        assert error_of(http.post("/v1/recipes", files={"image": picture()}), 401)["code"] == "no_key"
        sent = http.post("/v1/recipes", files={"image": picture()}, headers=headers["ann"])
        assert error_of(sent, 422)["code"] == "invalid_recipe"
    finally:
        http.close()


def test_the_wheel_has_the_pages_files() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folder = ROOT / told["package-dir"]["overpaint.studio"]
    listed = {path.name for pattern in told["package-data"]["overpaint.studio"] for path in folder.glob(pattern)}
    there = {path.name for path in folder.iterdir() if path.is_file()}
    assert listed == there - {"__init__.py"} >= {"index.html", "main.js", "style.css", "icon.svg"}


# ---- who may come to the page ----------------------------------------------------------------------------------------


@pytest.mark.case("X07")
def test_a_link_on_any_website_leads_to_the_page(http: Http) -> None:
    for site in ("none", "same-origin", "same-site", "cross-site"):
        assert http.get("/", headers={**OPENED, "sec-fetch-site": site}).status_code == 200
    assert http.get("/?from=a-link", headers={**OPENED, "sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.case("X07")
@pytest.mark.parametrize(
    ("method", "path", "changes"),
    [
        ("GET", "/", {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}),
        ("GET", "/", {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}),
        ("GET", "/", {"sec-fetch-dest": "iframe"}),
        ("GET", "/", {"sec-fetch-dest": "embed"}),
        ("GET", "/", {"sec-fetch-mode": ""}),
        ("GET", "/", {"sec-fetch-dest": ""}),
        ("GET", "/", {"origin": "https://evil.example"}),
        ("GET", "/", {"origin": "null"}),
        ("POST", "/", {}),
        ("GET", "/studio/main.js", {}),
        ("GET", "/v1/jobs", {}),
        ("GET", "/v1/models", {}),
        ("GET", "/livez", {}),
        ("GET", "/openapi.json", {}),
        ("POST", "/v1/recipes", {}),
    ],
)
def test_and_nothing_else_does(http: Http, method: str, path: str, changes: dict[str, str]) -> None:
    headers = {**OPENED, "sec-fetch-site": "cross-site", **changes}
    assert error_of(http(method, path, headers=headers), 403)["code"] == "cross_origin"


@pytest.mark.case("X08")
def test_another_name_is_refused_for_the_page_too(http: Http) -> None:
    headers = {**OPENED, "sec-fetch-site": "cross-site", "host": "evil.example"}
    assert error_of(http.get("/", headers=headers), 421)["code"] == "wrong_host"


# ---- recipes ---------------------------------------------------------------------------------------------------------

IMAGE, RAMP = picture(), grey_map()
LAYERS = [{"map": base64.b64encode(grey_map()).decode(), "prompt": "snow", "strength": 0.7}]


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def made(http: Http, **fields: Any) -> bytes:
    """The file of an edit."""
    job = edited(http, image=in_base64(IMAGE), **{"prompt": "a lake", "strength": 0.5, **fields})
    return http.get(job["result"]).content


def recipes(http: Http, data: bytes) -> list[dict[str, Any]]:
    answer = http.post("/v1/recipes", files={"image": data})
    assert answer.status_code == 200, answer.text
    answers.RecipeList.model_validate(answer.json())
    return list(answer.json()["data"])


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_a_recipe_of_ours_is_told_with_its_map(http: Http, format: str) -> None:
    data = made(http, format=format, map=in_base64(RAMP), layers=LAYERS)
    (told,) = recipes(http, data)
    expected = read_recipe(data)
    layer = told["layers"][0]
    for m, known in ((told["change_map"], expected.maps.change), (layer["map"], expected.maps.layers[0].map)):
        png = base64.b64decode(m.pop("map_png"))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), np.asarray(Image.open(io.BytesIO(RAMP))))
        assert known is not None
        assert m["pixels"] == known["pixels"] == maptext.digest(load_map(png, (64, 64))[0])
    assert told == {**expected.as_dict(numbers=False), "notes": []}


def test_what_is_told_makes_the_same_picture_again(http: Http) -> None:
    data = made(http, map=in_base64(RAMP), seed=5)
    (told,) = recipes(http, data)
    params = {name: value for name, value in told["params"].items() if value is not None}
    again = {"params": params, "map": told["change_map"]["map_png"], "image": in_base64(IMAGE), "wait": True}
    assert http.post("/v1/edits", json=again).content == data


def test_maps_that_8_bits_do_not_tell_have_16(http: Http) -> None:
    data = made(http, tools=["box:8,8,40,40", "feather:6"])
    (told,) = recipes(http, data)
    png = base64.b64decode(told["change_map"]["map_png"])
    known = read_recipe(data).maps.change
    exact = maptext.from_dict(known, decode.MAX_PIXELS)
    assert exact is not None
    assert known is not None
    assert known["kind"] == "f4"
    assert np.abs(load_map(png, (64, 64))[0] - exact).max() <= 0.5 / 65535 + 1e-7


def test_a_map_that_only_has_its_hash_is_told_without_numbers(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maptext, "MAX_EMBEDDED", 10)
    data = made(http, map=in_base64(RAMP))
    monkeypatch.undo()
    (told,) = recipes(http, data)
    assert (told["change_map"]["map_png"], told["change_map"]["width"]) == (None, 64)


def with_texts(**texts: str) -> bytes:
    info, out = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def test_another_programs_text_is_told_with_what_could_not_be_used(http: Http) -> None:
    facts = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 7, Size: 64x64, Hires upscale: 2"
    sent = with_texts(parameters=f"hills\nNegative prompt: rain\n{facts}")
    (told,) = recipes(http, sent)
    assert (told["params"]["prompt"], told["params"]["negative_prompt"], told["params"]["steps"]) == (
        "hills",
        "rain",
        20,
    )
    assert told["notes"] == list(read_recipe(sent).notes)
    assert (told["change_map"], told["layers"], told["input"]) == (None, [], None)


def test_a_sheet_tells_all_its_edits(http: Http) -> None:
    one = json.loads(json.dumps(read_recipe(made(http, map=in_base64(RAMP))).as_dict()))
    sheet = {"overpaint": 1, "makes": "sheet", "edits": [one, {**one, "change_map": None}, one]}
    told = recipes(http, with_texts(overpaint=json.dumps(sheet)))
    assert [m["change_map"] and bool(m["change_map"]["map_png"]) for m in told] == [True, None, True]


def test_a_file_is_sent_in_each_way(http: Http) -> None:
    sent = with_texts(parameters="hills\nSteps: 20, Seed: 7")
    ways: list[dict[str, Any]] = [
        {"files": {"image": sent}},
        {"json": {"image": in_base64(sent)}},
        {"content": sent, "headers": {"content-type": "image/png"}},
        {"content": sent, "headers": {"content-type": "application/octet-stream"}},
    ]
    assert len({http.post("/v1/recipes", **way).text for way in ways}) == 1


def test_files_that_hold_no_recipe(http: Http) -> None:
    def refused(data: bytes, status: int) -> str:
        error = error_of(http.post("/v1/recipes", files={"image": data}), status)
        assert error["param"] == "image"
        return str(error["code"])

    assert refused(IMAGE, 422) == "invalid_recipe"
    assert refused(b"nothing", 415) == "invalid_image"
    assert refused(b"", 415) == "invalid_image"
    assert refused(with_texts(overpaint="{"), 422) == "invalid_recipe"
    assert error_of(http.post("/v1/recipes", json={}), 422)["code"] == "missing_parameter"
    assert error_of(http.post("/v1/recipes", json={"picture": "x"}), 422)["param"] == "picture"


def test_a_map_that_bursts_is_none(http: Http) -> None:
    params = {**read_recipe(made(http)).as_dict()["params"]}
    recipe = {"overpaint": 1, "makes": "edit", "params": params}
    zeros = in_base64(zlib.compress(bytes(50_000_000), 9))
    for size in ((64, 64), (100_000, 100_000), (0, 4)):
        m = {"width": size[0], "height": size[1], "pixels": "0" * 64, "kind": "u1", "deflated": zeros}
        sent = with_texts(overpaint=json.dumps({**recipe, "change_map": m}))
        error = error_of(http.post("/v1/recipes", files={"image": sent}), 422)
        assert (error["code"], error["param"]) == ("invalid_recipe", "image")
        assert "map that cannot be read" in error["message"]


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_serves_the_page_and_says_where_it_runs(tmp_path: Path) -> None:
    with LiveServer(tmp_path, "--no-browser", "--no-warm-up", "--device", "cpu", command="studio") as live:
        url = live.url
        page = live.ask("/")
        assert (page.status, page.body) == (200, FILES["index.html"])
        assert f"Overpaint Studio is at {url}/" in live.said()
        port = url.rpartition(":")[2]
        for folder in (live.folder, tmp_path / "other"):
            done = CliRunner().invoke(app, ["studio", "--no-browser", "--port", port, "--folder", str(folder)])
            assert done.exit_code == 2
            said = " ".join(done.stderr.split())
            assert said.startswith(f"error: port: {port} is taken: Overpaint runs there already; open {url}/")


class Runs:
    """Stands in for a server that runs until it is ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int = 1234, error: Exception | None = None) -> None:
        self.opened: list[str] = []
        self._port, self._error = port, error
        monkeypatch.setattr(studio, "run", self._run)
        monkeypatch.setattr(webbrowser, "open", self._open)

    def _run(self, told: Any, choice: Any, door: Any, on_open: Any) -> int:
        if self._error is not None:
            raise self._error
        on_open(self._port)
        return 0

    def _open(self, url: str) -> bool:
        self.opened.append(url)
        return True


@pytest.mark.parametrize(
    ("options", "page"),
    [
        ((), "http://127.0.0.1:1234/"),
        (("--host", "::1"), "http://[::1]:1234/"),
        (("--host", "0.0.0.0"), "http://127.0.0.1:1234/"),
    ],
)
def test_a_browser_is_opened_at_the_page(
    options: tuple[str, ...], page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    runs = Runs(monkeypatch)
    done = CliRunner().invoke(app, ["studio", "--folder", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    assert f"Overpaint Studio is at {page}" in done.stdout
    for thread in threading.enumerate():
        if thread.name == "overpaint-browser":
            thread.join(10)
    assert runs.opened == [page]


def test_no_browser_is_opened_where_none_is_wanted_or_could_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys():
        monkeypatch.delenv(name)
    runs = Runs(monkeypatch)
    done = CliRunner().invoke(app, ["studio", "--folder", str(tmp_path)])
    assert "no browser can be opened from here" in " ".join(done.stderr.split())
    monkeypatch.setenv("DISPLAY", ":0")
    done = CliRunner().invoke(app, ["studio", "--folder", str(tmp_path), "--no-browser"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert runs.opened == []


def test_it_has_the_options_of_serve() -> None:
    import typer

    commands = [typer.main.get_command(app).get_command(None, name) for name in ("serve", "studio")]  # type: ignore[attr-defined]
    serve, own = ({flag for parameter in command.params for flag in parameter.opts} for command in commands)
    assert own == serve | {"--no-browser"}


def test_what_runs_at_the_port_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "_PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:  # which never answers
        port = str(other.getsockname()[1])
        done = CliRunner().invoke(app, ["studio", "--no-browser", "--port", port, "--folder", str(tmp_path)])
        assert done.exit_code == 2
        assert f"port: {port} at 127.0.0.1 cannot be listened on" in " ".join(done.stderr.split())
