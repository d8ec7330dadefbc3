"""How near to float32 a model stays when it works in bfloat16: the figure that its card holds, ``bfloat16_psnr``.

A CPU with bfloat16 of its own takes about half the time in it. Whether a model's pictures stay what they are is
measured once, on fixed edits, and written on its card; ``dtype="auto"`` goes by that.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from overpaint.card import CARD_FILE
from overpaint.editor import Editor
from overpaint.errors import ModelError
from overpaint.fidelity import compare
from overpaint.model_loading import DtypeName
from overpaint.picture import Pixels
from overpaint.request import EditRequest

PROMPTS = ("a castle by a lake at sunset", "a winter forest under snow, oil painting", "")
STEPS, STRENGTH = 30, 0.6


def bfloat16_psnr(model: str | Path = "embedded", *, download: bool = False) -> float:
    """The lowest PSNR in dB, over three fixed edits at the model's native size, of bfloat16 against float32.

    On a CPU without bfloat16 of its own this takes minutes.

    Raises:
        ModelError: the model cannot be loaded.
    """
    exact, rounded = (_edits(model, dtype, download) for dtype in ("float32", "bfloat16"))
    return min(compare(a, b, side=min(a.shape[:2])).psnr for a, b in zip(exact, rounded, strict=True))


def _edits(model: str | Path, dtype: DtypeName, download: bool) -> Sequence[Pixels]:
    with Editor(model, device="cpu", dtype=dtype, download=download) as editor:
        side = editor.card.native_size
        picture = _picture(side)
        options = {"steps": STEPS, "strength": STRENGTH, "detail": 0.0, "size": "input"}
        requests = [EditRequest(picture, prompt, seed=seed, **options) for seed, prompt in enumerate(PROMPTS)]  # type: ignore[arg-type]
        return [editor.follow(editor.submit(request)).pixels for request in requests]


def _picture(side: int) -> Pixels:
    """A landscape of plain colours and some texture, [side, side, 3] uint8: sky, a sun, a hill, water."""
    y, x = np.mgrid[0:side, 0:side] / side
    generator = np.random.default_rng(0)
    rgb = np.stack([0.4 + 0.4 * y, 0.6 + 0.2 * y, 0.9 - 0.2 * y], -1)
    rgb[(x - 0.7) ** 2 + (y - 0.2) ** 2 < 0.006] = (1.0, 0.95, 0.7)
    rgb[y > 0.45 + 0.15 * np.sin(5 * x)] = (0.25, 0.4, 0.2)
    rgb[y > 0.75] = (0.2, 0.35, 0.5)
    rgb += 0.05 * generator.standard_normal((side, side, 1))
    return (rgb.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def write_on_card(folder: Path, psnr: float) -> Path:
    """Put the figure on the card of a model's folder, which gets one if there is none. Returns the card's path."""
    path = folder / CARD_FILE
    line = f"bfloat16_psnr = {psnr:.1f}  # dB, of edits in bfloat16 against float32: overpaint precision\n"
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        text, found = re.subn(r"(?m)^bfloat16_psnr\s*=.*\n?", line, text, count=1)
        path.write_text(text if found else line + text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ModelError(f"{path} cannot be written: {e}") from e
    return path
