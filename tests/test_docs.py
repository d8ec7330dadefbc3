"""The pages say what the program does: their code runs, their tables are current, their links lead somewhere."""

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from overpaint.encode import WRITTEN

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


def python_blocks(page: Path) -> str:
    """All Python blocks of a page as one program, on the lines where they stand in the page."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * text.count("\n")
    for block in re.finditer(r"(?ms)^```python\n(.*?)^```$", text):
        first = text.count("\n", 0, block.start(1))
        code = block[1].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines)


def run(page: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": page.stem}
    exec(compile(python_blocks(page), str(page), "exec"), names)
    return names


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sdedit_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert "by_hand" in run(ROOT / "docs" / "sdedit.md")


def test_the_readme_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = ROOT / "README.md"
    code = python_blocks(page) if page.is_file() else ""
    if not code.strip():
        pytest.skip("no Python in the README")
    if "lake.jpg" in code:
        shutil.copy(ROOT / "examples" / "mountains.jpg", tmp_path / "lake.jpg")
    monkeypatch.chdir(tmp_path)
    run(page)


def test_the_page_on_choosing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "castle.jpg", tmp_path / "lake.jpg")
    monkeypatch.chdir(tmp_path)
    assert len(run(ROOT / "docs" / "choosing.md")["swept"]) == 4
    assert (tmp_path / "sheet.png").is_file()


def test_generated_parts_are_current(generate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    status = generate.main(check=True)
    assert status == 0, capsys.readouterr().out


def test_check_names_the_page_that_is_out_of_date(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "DOCS", Path(shutil.copytree(ROOT / "docs", tmp_path / "docs")))
    generate.main(check=False)
    page = tmp_path / "docs" / "strength.md"
    page.write_text(page.read_text(encoding="utf-8").replace("almost everything", "all of it"), encoding="utf-8")
    capsys.readouterr()
    assert generate.main(check=True) == 1
    assert capsys.readouterr().out.startswith("docs/strength.md is out of date")
    assert generate.main(check=False) == 0
    assert "almost everything" in page.read_text(encoding="utf-8")


def test_every_generated_part_is_on_some_page(generate: ModuleType) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.is_file())
    assert set(generate.PARTS) <= set(re.findall(r"(?m)^<!-- generated: (\w+) -->$", text))
    assert len(re.findall(r"(?m)^<!-- generated:", text)) == len(re.findall(r"(?m)^<!-- end -->$", text))


def test_the_page_on_files_names_every_format_and_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = ROOT / "docs" / "files.md"
    text = page.read_text(encoding="utf-8")
    assert all(f"`{ending}`" in text for ending in WRITTEN)
    assert all(name.lower() in text.lower() for name in ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"))
    shutil.copy(ROOT / "examples" / "mountains.jpg", tmp_path / "lake.jpg")
    monkeypatch.chdir(tmp_path)
    run(page)
    assert (tmp_path / "afternoon.png").exists()


def test_the_page_on_maps_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "mountains.jpg", tmp_path / "lake.jpg")
    monkeypatch.chdir(tmp_path)
    assert run(ROOT / "docs" / "maps.md")["grown"].image.size == (1536 + 256, 1152)


@pytest.mark.parametrize("page", [p for p in PAGES if p.is_file()], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"))  # code is no link
    targets = re.findall(r"\]\(([^)\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"", text)
    relative = [t.split("#")[0] for pair in targets for t in pair if t and not re.match(r"[a-z]+:|#", t)]
    missing = [t for t in relative if not (page.parent / t).exists()]
    assert not missing
