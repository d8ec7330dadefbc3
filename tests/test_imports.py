"""The direction of imports (design, section 6), and that light things stay light."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

import overpaint

SOURCE = ROOT / "src" / "overpaint"
BASE = {"errors", "fields", "params", "levels", "samplers"}
# who may import whom, below the package; `cli` and tests may import anything but what is said further down
ALLOWED = {
    "errors": set(),
    "version": set(),
    "levels": {"errors"},
    "samplers": {"levels"},
    "fields": {"errors"},
    "params": {"errors", "fields", "levels", "samplers"},
    "card": {"errors", "fields", "params"},
    "presets": {"errors", "params", "card"},
    "recipe": {"errors", "params"},
    "infotext": {"errors", "fields", "levels", "params", "recipe", "samplers"},
    "trajectory": {"levels", "samplers"},
    "weights": {"errors"},
    "configs": {"errors", "weights"},
    "fingerprint": {"errors"},
    "checkpoint": {"errors", "card", "configs", "weights"},
    "model_loading": {"errors", "levels", "card", "checkpoint"},
    "model_codecs": {"errors", "windows"},
    "model_words": set(),
    "model_network": set(),
    "model_packing": {"newest"},
    "model_kernels": set(),
    "model_fused": {"model_kernels"},
    "model_graphs": {"model_network", "newest"},
    "model_sam": {"errors", "maps", "model_seer", "picture"},
    "model_clip": {"errors", "decode", "model_seer", "picture"},
    "model_lpips": {"errors", "decode", "fidelity"},
    "newest": set(),
    "uncollected": set(),
    "model": {
        "errors",
        "levels",
        "card",
        "checkpoint",
        "fingerprint",
        "model_codecs",
        "model_fused",
        "model_graphs",
        "model_loading",
        "model_network",
        "model_packing",
        "model_words",
    }
    | {"newest", "uncollected"},
    "picture": {"params"},
    "decode": {"errors", "fields", "picture"},
    "describe": {"errors", "decode", "picture", "weights"},
    "model_blip": {"errors", "decode", "model_seer", "picture"},
    "model_seer": {"errors", "model_loading", "weights"},
    "metadata": {"errors", "decode", "infotext", "params", "recipe"},
    "encode": {"errors", "metadata", "picture", "recipe"},
    "images": {"decode", "encode", "picture"},
    "detail": {"picture"},
    "fidelity": {"errors", "decode", "params", "picture"},
    "maps": {"errors", "decode", "fields", "levels", "params", "picture"},
    "sheet": set(),
    "precision": {"card", "editor", "errors", "fidelity", "model_loading", "picture", "request"},
    "goal": set(),
    "result": {"encode", "goal", "maps", "params", "picture", "recipe"},
    "request": BASE | {"decode", "maps", "recipe"},
    "windows": set(),
    "job": {"errors", "model", "trajectory", "windows"},
    "in_flight": {"job", "model", "trajectory", "windows"},
    "engine": {"errors", "in_flight", "job", "model", "windows"},
    "edit_task": BASE
    | {"job", "model", "trajectory", "detail", "maps", "picture", "recipe", "result", "version", "windows"},
    "search": {"errors", "explore", "fidelity", "goal", "job", "picture", "result"},
    "explore": {"fidelity", "fields", "picture", "plot", "result", "sheet"},
    "several": {"errors", "fields", "params", "request"},
    "plot": set(),
    "prepare": BASE | {"decode", "edit_task", "maps", "model", "picture", "presets", "recipe", "request", "windows"},
    "marks": {"errors", "decode", "maps", "picture", "request"},
    "remote_line": {"errors", "version"},
    "remote": {"errors", "decode", "marks", "params", "remote_line"},
    "redo": {"errors", "decode", "maps", "picture", "recipe", "request"},
    "crowd": {"errors", "job", "result"},
    "editor": BASE
    | {"card", "decode", "engine", "job", "maps", "metadata", "model", "model_loading", "prepare", "recipe"}
    | {"redo", "request", "result", "search", "goal", "picture", "explore", "several", "crowd"},
    "work": {"goal", "model", "prepare", "request"},
    "studio": set(),
    "server": BASE
    | {
        "card",
        "decode",
        "describe",
        "editor",
        "encode",
        "engine",
        "explore",
        "fidelity",
        "goal",
        "images",
        "infotext",
        "job",
        "maps",
        "marks",
    }
    | {"metadata", "picture", "presets", "recipe", "request", "result", "several", "sheet", "version", "work"},
}
LIGHT = ("params", "presets", "errors", "cli", "levels", "samplers", "card", "images", "picture", "decode", "encode")
LIGHT += ("checkpoint", "configs", "infotext", "metadata", "recipe", "weights")
LIGHT += ("maps", "marks", "model_sam", "remote", "request")
LIGHT += ("fidelity", "model_clip", "model_lpips")
LIGHT += ("describe", "model_blip", "model_seer", "uncollected")
LIGHT += ("server.files", "server.records", "server.store")
LIGHT += ("server.sandbox", "server.sandboxed")
WITHOUT_TORCH = ["overpaint", *(f"overpaint.{name}" for name in LIGHT)]


def imports_of(path: Path) -> set[str]:
    """Modules imported anywhere in a file, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "overpaint":
                found |= {f"overpaint.{alias.name}" for alias in node.names}
    return found


def modules() -> dict[str, list[Path]]:
    """The files of each module; a folder of files with one duty is one module."""
    alone = {p.stem: [p] for p in SOURCE.glob("*.py") if p.stem != "__init__"}
    folders = {p.parent.name: list(p.parent.glob("*.py")) for p in SOURCE.glob("*/__init__.py")}
    return alone | {name: files for name, files in folders.items() if name not in ("cli", "embedded")}


def test_every_module_has_a_rule() -> None:
    assert set(modules()) == set(ALLOWED)


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_direction_of_imports(name: str) -> None:
    ours = {m.split(".")[1] for path in modules()[name] for m in imports_of(path) if m.startswith("overpaint.")}
    assert ours - {"embedded", "examples", name} <= ALLOWED[name]


def test_model_libraries_only_in_the_model() -> None:
    for path in SOURCE.rglob("*.py"):
        libraries = {m.split(".")[0] for m in imports_of(path)} & {"diffusers", "transformers"}
        allowed = path.stem.startswith("model_") and path.parent == SOURCE
        assert not libraries or allowed, f"{path} imports {libraries}"


def test_web_and_database_libraries_only_in_the_server() -> None:
    names = {"fastapi", "multipart", "prometheus_client", "psycopg", "pydantic", "sqlalchemy", "starlette", "uvicorn"}
    for path in SOURCE.rglob("*.py"):
        libraries = {m.split(".")[0] for m in imports_of(path)} & names
        assert not libraries or path.parent == SOURCE / "server", f"{path} imports {libraries}"


def test_only_cli_imports_cli() -> None:
    for path in SOURCE.glob("*.py"):
        assert not any(m.startswith("overpaint.cli") for m in imports_of(path)), path


@pytest.mark.case("C13")
def test_no_pickles_in_the_tree() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "pickle.load" not in text
        assert "torch.load" not in text


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_light_modules_leave_torch_alone(name: str) -> None:
    code = f"import sys, {name}; print([m for m in ('torch', 'diffusers', 'transformers', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_package_is_installed() -> None:
    """What has an ``__init__.py`` is in the wheel."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    there = {".".join(p.parent.relative_to(SOURCE.parent).parts) for p in SOURCE.rglob("__init__.py")}
    assert set(listed) == there | {"overpaint.examples"}


def test_all_is_exact() -> None:
    assert sorted(overpaint.__all__, key=str.lower) == sorted(set(overpaint.__all__), key=str.lower)
    assert set(overpaint.__all__) == {*overpaint._HOMES, "__version__"}
    for name in overpaint.__all__:
        assert getattr(overpaint, name) is not None
    with pytest.raises(AttributeError):
        _ = overpaint.nothing


def test_lazy_names_are_the_ones_for_type_checkers() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        a.name: (n.module or "").split(".")[-1] for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names
    }
    assert typed == overpaint._HOMES
