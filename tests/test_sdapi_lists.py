"""AUTOMATIC1111's lists and options: their shape, that nothing in them is a path, and that nothing sets anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from http_app import Http, Server, server

from overpaint.checkpoint import embedded_folder
from overpaint.editor import Editor
from overpaint.infotext import AUTOMATIC, sampler_named, schedule_named
from overpaint.levels import SCHEDULES
from overpaint.params import SAMPLERS
from overpaint.server import sdapi_lists, sdapi_memory
from overpaint.server.routes_sdapi_lists import IGNORED, router
from overpaint.server.sdapi_lists import checkpoint_is, title

API = "/sdapi/v1"
EMPTY: dict[str, Any] = {
    **{key: [] for key in ("extensions", "face-restorers", "hypernetworks", "latent-upscale-modes", "loras")},
    **{key: [] for key in ("prompt-styles", "realesrgan-models", "script-info", "sd-modules", "sd-vae")},
    "embeddings": {"loaded": {}, "skipped": {}},
    "scripts": {"txt2img": [], "img2img": []},
}
GETS = [route.path for route in router.routes if "GET" in route.methods]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def there(folder: Path, editor: Editor) -> Iterator[Server]:
    with server(folder, editor) as served:
        yield served


@pytest.fixture(scope="module")
def http(there: Server) -> Http:
    return there.http


def told(http: Http, name: str) -> Any:
    answer = http.get(f"{API}/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- the model -------------------------------------------------------------------------------------------------------


def test_the_one_model(http: Http, editor: Editor) -> None:
    hash = editor.model.hash
    (model,) = told(http, "sd-models")
    assert model == {
        "title": f"embedded [{hash[:10]}]",
        "model_name": "embedded",
        "hash": hash[:10],
        "sha256": hash,
        "filename": "embedded",
        "config": None,
    }
    assert (len(model["hash"]), len(model["sha256"])) == (10, 64)


def test_names_of_the_model(editor: Editor) -> None:
    model = editor.model
    for name in (title(model), "embedded", model.hash, model.hash[:10]):
        assert checkpoint_is(model, name)
        assert checkpoint_is(model, f" {name.upper()} ")
    for name in ("", "embed", "embedded []", model.hash[:9], f"{model.hash}0", "embedded.safetensors", "../embedded"):
        assert not checkpoint_is(model, name)


@pytest.mark.parametrize("name", ["unload-checkpoint", "reload-checkpoint"])
def test_no_caller_takes_the_model_from_the_others(there: Server, name: str) -> None:
    answer = there.http.post(f"{API}/{name}")
    assert (answer.status_code, answer.json()) == (200, {})
    assert told(there.http, "sd-models")
    assert there.service.state == "ready"


# ---- options ---------------------------------------------------------------------------------------------------------


def test_options_are_what_front_ends_read(http: Http, editor: Editor) -> None:
    options = told(http, "options")
    assert options["sd_model_checkpoint"] == title(editor.model) == told(http, "sd-models")[0]["title"]
    assert options["sd_checkpoint_hash"] == told(http, "sd-models")[0]["sha256"]
    assert (options["sd_vae"], options["samples_format"]) == ("Automatic", "png")
    assert (options["CLIP_stop_at_last_layers"], options["img2img_fix_steps"]) == (1, False)
    assert options["api_enable_requests"] is False
    assert "forge_preset" not in options
    assert all(value is None or isinstance(value, str | int | float | list) for value in options.values())


def test_all_options_sent_back_are_no_mistake(http: Http) -> None:
    """As Open WebUI does."""
    answer = http.post(f"{API}/options", json=told(http, "options"))
    assert (answer.status_code, answer.text) == (200, "null")
    assert IGNORED not in answer.headers


@pytest.mark.case("X05")
def test_options_cannot_be_set(http: Http, folder: Path, tmp_path: Path) -> None:
    before = told(http, "options")
    asked = {
        "outdir_samples": str(tmp_path / "out"),
        "outdir_img2img_samples": "/etc",
        "sd_vae": "other.vae.pt",
        "ckpt_dir": "/models",
        "samples_format": "jpg",
        "CLIP_stop_at_last_layers": True,  # is no 1
        "img2img_fix_steps": 0,  # is no false
        "sd_model_checkpoint": before["sd_model_checkpoint"].upper(),
        "enable_pnginfo": True,
    }
    answer = http.post(f"{API}/options", json=asked)
    assert (answer.status_code, answer.json()) == (200, None)
    assert answer.headers[IGNORED] == (
        "outdir_samples, outdir_img2img_samples, sd_vae, ckpt_dir, samples_format, CLIP_stop_at_last_layers, "
        "img2img_fix_steps"
    )
    assert told(http, "options") == before
    assert not (tmp_path / "out").exists()
    assert http.post(f"{API}/options", json={}).json() is None
    assert http.post(f"{API}/options", json={"sd_model_checkpoint": None}).status_code == 200


def test_names_that_are_told_are_only_names(http: Http) -> None:
    names = ["a\r\nset-cookie: x=1", "ü\ud800", "", "n" * 3000, *(f"option_{i}" for i in range(500))]
    answer = http.post(
        f"{API}/options", content=json.dumps(dict.fromkeys(names, 1)), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    value = answer.headers[IGNORED]
    assert len(value) == 1000
    assert value.startswith("a??set-cookie??x?1, ??, , nnn")


@pytest.mark.parametrize("name", ["other", "", 5, ["embedded"], {}, True, "x\r\n\ud800", "../../etc/passwd"])
def test_another_model_is_refused_in_their_words(http: Http, name: Any) -> None:
    asked = json.dumps({"sd_model_checkpoint": name, "sd_vae": "x"})
    answer = http.post(f"{API}/options", content=asked, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "unknown_checkpoint"
    assert answer.json()["detail"].startswith("model ")
    assert answer.json()["detail"].endswith(" not found")
    assert "'embedded'" in answer.json()["errors"]
    assert IGNORED not in answer.headers


@pytest.mark.parametrize(
    "body", ["[1]", '"x"', "", "{", '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[" * 100_000, '{"a":' * 9999]
)
def test_options_that_are_none(http: Http, body: str) -> None:
    answer = http.post(f"{API}/options", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "detail", "body", "errors", "request_id"}
    assert http.post(f"{API}/options", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


# ---- what an edit can be made by -------------------------------------------------------------------------------------


def test_samplers_are_all_of_ours(http: Http) -> None:
    samplers = told(http, "samplers")
    assert {"Euler a", "Euler", "DPM++ 2M"} <= {s["name"] for s in samplers}
    assert all(set(s) == {"name", "aliases", "options"} and s["options"] == {} for s in samplers)
    assert {sampler_named(s["name"])[0] for s in samplers} == set(SAMPLERS)
    assert len(samplers) == len(SAMPLERS)
    for sampler in samplers:
        for alias in sampler["aliases"]:
            assert sampler_named(alias)[0] == sampler_named(sampler["name"])[0], alias


def test_schedulers_are_all_of_ours(http: Http) -> None:
    first, *rest = told(http, "schedulers")
    assert (first["name"], first["label"]) == (AUTOMATIC, "Automatic")
    fields = {"name", "label", "aliases", "default_rho", "need_inner_model"}
    assert all(set(s) == fields for s in (first, *rest))
    assert {schedule_named(s["label"]) for s in rest} == set(SCHEDULES)
    assert len({s["name"] for s in rest}) == len(rest) == len(SCHEDULES)
    for scheduler in rest:
        for name in (scheduler["name"], *(scheduler["aliases"] or ())):
            assert schedule_named(name) == schedule_named(scheduler["label"]), name


def test_upscalers(http: Http) -> None:
    assert [u["name"] for u in told(http, "upscalers")] == ["None", "Lanczos", "Nearest"]
    assert all(set(u) == {"name", "model_name", "model_path", "model_url", "scale"} for u in told(http, "upscalers"))


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_what_is_not_offered_is_an_empty_list(http: Http, name: str) -> None:
    assert told(http, name) == EMPTY[name]


@pytest.mark.parametrize("what", ["checkpoints", "embeddings", "loras", "vae"])
def test_there_is_nothing_to_refresh(http: Http, what: str) -> None:
    answer = http.post(f"{API}/refresh-{what}")
    assert (answer.status_code, answer.text) == (200, "null")


# ---- the server ------------------------------------------------------------------------------------------------------


def test_memory(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = told(http, "memory")
    ram = memory["ram"]
    assert ram["total"] > ram["used"] > 50_000_000  # torch and a model
    assert ram["free"] == ram["total"] - ram["used"]
    assert memory["cuda"] == {"error": "unavailable"}
    monkeypatch.setattr(sdapi_memory.Path, "exists", lambda self: False)  # as on macOS
    assert sdapi_memory.memory(torch.device("cpu"))["ram"]["used"] > 50_000_000


def test_memory_of_a_gpu_has_their_form(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("active", "allocated", "reserved", "inactive_split")
    stats = {f"{kind}_bytes.all.{when}": 1 for kind in kinds for when in ("current", "peak")}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3, 10))
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda device: {**stats, "num_alloc_retries": 4, "num_ooms": 5})
    both = {"current": 1, "peak": 1}
    assert sdapi_memory.memory(torch.device("cuda", 0))["cuda"] == {
        "system": {"free": 3, "used": 7, "total": 10},
        **dict.fromkeys(("active", "allocated", "reserved", "inactive"), both),
        "events": {"retries": 4, "oom": 5},
    }


def test_flags_and_ping(http: Http) -> None:
    flags = told(http, "cmd-flags")
    assert (flags["api"], flags["listen"], flags["no_half"]) == (True, False, True)
    assert all(isinstance(flag, bool) for flag in flags.values())
    assert http.get("/internal/ping").json() == {}
    assert http.get("/internal/sysinfo").status_code == 404


@pytest.mark.case("X11")
def test_no_answer_holds_a_path(http: Http, folder: Path) -> None:
    assert len(GETS) >= 20
    for path in GETS:
        answer = http.get(f"{path}?_=1")  # unknown parameters are nothing, as there
        assert answer.status_code == 200, path
        for place in (folder, embedded_folder(), ROOT, Path.home()):
            assert str(place) not in answer.text, path


def test_nothing_is_told_of_a_model_that_is_not_there(tmp_path: Path) -> None:
    with server(tmp_path, None) as served:
        for name in ("sd-models", "options", "memory", "cmd-flags"):
            answer = served.http.get(f"{API}/{name}")
            assert (answer.status_code, answer.json()["error"]) == (503, "not_ready")
        assert served.http.post(f"{API}/options", json={}).status_code == 503
        assert served.http.get(f"{API}/samplers").status_code == 200


def test_what_is_asked_to_be_other_than_it_is() -> None:
    are = {"a": 1, "b": None, "c": [1], "d": False}
    assert sdapi_lists.ignored({"a": 1.0, "b": None, "c": [1], "d": False, "sd_model_checkpoint": "x"}, are) == []
    assert sdapi_lists.ignored({"a": True, "b": 0, "c": [], "d": 0, "e": None}, are) == ["a", "b", "c", "d", "e"]
