"""A service without HTTP, for tests: the real store, folder, workers and engine."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from overpaint.editor import Editor
from overpaint.server.files import Files
from overpaint.server.order import Order, Sent
from overpaint.server.records import ENDED, JobRecord
from overpaint.server.sandbox import Sandbox
from overpaint.server.service import Service
from overpaint.server.settings import Settings
from overpaint.server.store import Store

SMALL = {"prompt": "a mountain lake", "size": "64x64", "steps": 4, "strength": 0.5, "seed": 1, "guidance_scale": 3.0}


@contextmanager
def a_service(folder: Path, editor: Editor | None, sandbox: Sandbox, **settings: Any) -> Iterator[Service]:
    """A service with an editor and workers that others use too; without an editor it is not started."""
    told = Settings(folder=folder, **settings)
    with Files(folder) as files, Store(told.database or files.database) as store:
        service = Service(told, store, files, sandbox)
        if editor is not None:
            service.start(editor)
        try:
            yield service
        finally:
            service.close()


def picture_bytes(size: tuple[int, int] = (64, 64), seed: int = 0, kind: str = "PNG") -> bytes:
    """A file with soft noise in it."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    out = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def an_order(
    data: bytes | None = None, *, key: str | None = None, deadline: float | None = None, **params: Any
) -> Order:
    """A small edit."""
    image = Sent(picture_bytes() if data is None else data)
    return Order(params={**SMALL, **params}, image=image, key=key, deadline_seconds=deadline)


def ended(service: Service, id: str, owner: str = "", seconds: float = 60) -> JobRecord:
    """The job, once it has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = service.job(id, owner)
        if job.state in ENDED:
            return job
        time.sleep(0.01)
    raise AssertionError(f"the job is {service.job(id, owner).state} after {seconds} s")
