"""API keys: which files are taken, and that no key is ever shown."""

import hmac
import os
from pathlib import Path

import pytest

from overpaint.errors import ParameterError
from overpaint.server import keys as keys_module
from overpaint.server.keys import Keys

ANNA, BOB = "sk-anna-0123456789abcdef", "x:y#z!~-0123456789abcdef"


def key_file(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "keys"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ParameterError) as caught:
        Keys.read(path)
    assert caught.value.name == "key_file"
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_owners_by_their_keys(tmp_path: Path) -> None:
    text = f"\ufeff# whose they are: Zoë's\n\nanna:{ANNA}\r\n  b.o-b_2 : {BOB}  \n"
    keys = Keys.read(key_file(tmp_path, text))
    assert len(keys) == 2
    assert keys.owner_of(ANNA) == "anna"
    assert keys.owner_of(BOB) == "b.o-b_2"
    for other in ("", ANNA[:-1], ANNA + "x", ANNA.upper(), f"anna:{ANNA}", "\ud800" * 20, "ä" * 20):
        assert keys.owner_of(other) is None


@pytest.mark.parametrize("length", [16, 200])
def test_shortest_and_longest(tmp_path: Path, length: int) -> None:
    keys = Keys.read(key_file(tmp_path, f"{'n' * 64}:{'k' * length}"))
    assert keys.owner_of("k" * length) == "n" * 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no key"),
        ("# only words\n", "no key"),
        (f"# one\n{ANNA}\n", "line 2 must be NAME:KEY"),
        (f":{ANNA}", "line 1: a name"),
        (f"{'n' * 65}:{ANNA}", "line 1: a name"),
        (f"an na:{ANNA}", "line 1: a name"),
        (f"zoë:{ANNA}", "line 1: a name"),
        (f"anna:{'k' * 15}", "line 1: a key must be 16 to 200"),
        (f"anna:{'k' * 201}", "line 1: a key must be 16 to 200"),
        (f"anna:{ANNA[:10]} {ANNA[10:]}", "line 1: a key must be"),
        (f"anna:{ANNA}\x00", "line 1: a key must be"),
        (f"anna:{ANNA}é", "line 1: a key must be"),
        (f"anna:{ANNA}".encode() + b"\xff", "line 1: a key must be"),
        (f"anna:{ANNA}\nanna:{BOB}", "line 2: the name anna was there before"),
        (f"anna:{ANNA}\nbob:{ANNA}", "line 2: its key was there before"),
        ("#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
@pytest.mark.case("X10")
def test_what_is_not_taken_and_not_shown(tmp_path: Path, text: str | bytes, words: str) -> None:
    said = refused(key_file(tmp_path, text))
    assert words in said
    assert ANNA[:10] not in said
    assert "kkk" not in said


@pytest.mark.parametrize("mode", [0o660, 0o604, 0o620, 0o602, 0o601, 0o644])
def test_a_file_that_is_not_open_to_everybody(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, f"anna:{ANNA}", mode)
    assert f"chmod 600 {path}" in refused(path)
    for good in (0o400, 0o440):  # the second as systemd and containers hand secrets over
        path.chmod(good)
        assert len(Keys.read(path)) == 1


def test_no_file_at_all(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none")
    assert "Is a directory" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert "not a file" in refused(tmp_path / "fifo")  # and does not wait for somebody to write


@pytest.mark.case("X10")
def test_the_environments_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERPAINT_API_KEY", raising=False)
    assert Keys.from_environment() is None
    monkeypatch.setenv("OVERPAINT_API_KEY", ANNA)
    keys = Keys.from_environment()
    assert keys is not None
    assert keys.owner_of(ANNA) == "default"
    assert keys.owner_of(BOB) is None
    for bad in ("", "too-short-secret"[:15], ANNA + " "):
        monkeypatch.setenv("OVERPAINT_API_KEY", bad)
        with pytest.raises(ParameterError) as caught:
            Keys.from_environment()
        assert "16 to 200" in str(caught.value)
        assert not bad or bad not in str(caught.value)


@pytest.mark.case("X10")
def test_kept_as_digests_only() -> None:
    keys = Keys([("anna", ANNA), ("bob", BOB)])
    shown = f"{keys!r} {keys} {vars(keys)}"
    assert "<Keys of 2>" in shown
    for key in (ANNA, BOB):
        assert key not in shown
        assert key[:8] not in shown


@pytest.mark.case("X10")
def test_all_are_compared_each_time_and_by_hmac(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def counting(a: bytes, b: bytes) -> bool:
        compared.append(len(a) + len(b))
        return hmac.compare_digest(a, b)

    keys = Keys([(f"n{i}", f"{i:032}") for i in range(7)])
    monkeypatch.setattr(keys_module, "compare_digest", counting)
    for presented in (f"{0:032}", f"{6:032}", "none of them", ""):
        compared.clear()
        keys.owner_of(presented)
        assert compared == [64] * 7  # SHA-256 of both, never the key
