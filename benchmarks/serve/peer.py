"""diffusers behind HTTP, as people write it: FastAPI and uvicorn, a queue, one worker that owns the pipelines.

    python -m benchmarks.serve.peer --model FOLDER [--best] [--port 8000]

POST /edit     multipart: image, mask (white is to change), prompt, strength, num_inference_steps, guidance_scale,
               sampler, seed; answers with a PNG
GET /readyz    200 once the pipelines are loaded

It is meant to be good at what it does. The pipelines are loaded once, on the thread that runs them; both have the same
weights; no scheduler is made twice. While one edit is computed others are received, decoded and encoded. What it keeps
is in memory: who asks waits for the answer, and a crash loses what was waiting.
"""

import argparse
import asyncio
import io
import os
import queue
import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import diffusers
import torch
import uvicorn
from fastapi import FastAPI, File, Form, HTTPException, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from PIL import Image, UnidentifiedImageError

from benchmarks.speed.entrants import best_pipeline, default_pipeline
from overpaint.checkpoint import EMBEDDED, locate
from overpaint.encode import write_atomically
from overpaint.model_loading import quiet_libraries
from overpaint.samplers import SamplerName
from tests.peers import PEERS


@dataclass(frozen=True)
class Asked:
    """One edit, with its pictures decoded."""

    image: Image.Image
    mask: Image.Image | None
    prompt: str
    strength: float
    steps: int
    guidance: float
    sampler: SamplerName
    seed: int


@dataclass(frozen=True)
class Made:
    """A result, and how often the network was called for it."""

    image: Image.Image
    calls: int
    dtype: str


class Pipelines:
    """Image-to-image, and inpainting where there is a mask, on one set of weights. For one thread."""

    def __init__(self, folder: Path, best: bool) -> None:
        self.whole = (best_pipeline if best else default_pipeline)(folder, "cpu")
        unet = self.whole.unet
        if unet.config.in_channels == self.whole.vae.config.latent_channels:
            # An ordinary model. The pipeline knows those by the 4 channels of Stable Diffusion, though it counts on no
            # number; told this, it runs on the others too. Nothing else reads it.
            unet.register_to_config(in_channels=4)
        with quiet_libraries():
            self.masked = diffusers.StableDiffusionInpaintPipeline(
                **self.whole.components, requires_safety_checker=False
            )
        self.masked.set_progress_bar_config(disable=True)
        self._config = self.whole.scheduler.config
        self._schedulers: dict[SamplerName, Any] = {}

    def edit(self, asked: Asked) -> Made:
        """At the picture's own size."""
        pipe = self.whole if asked.mask is None else self.masked
        pipe.scheduler = self._scheduler(asked.sampler)
        where: dict[str, Any] = {}
        if asked.mask is not None:
            where = {"mask_image": asked.mask, "width": asked.image.width, "height": asked.image.height}
        made = pipe(
            asked.prompt,
            image=asked.image,
            strength=asked.strength,
            num_inference_steps=asked.steps,
            guidance_scale=asked.guidance,
            generator=torch.Generator().manual_seed(asked.seed),
            **where,
        )
        return Made(made.images[0], int(pipe.num_timesteps), str(pipe.vae.dtype).removeprefix("torch."))

    def _scheduler(self, sampler: SamplerName) -> Any:
        if sampler not in self._schedulers:
            name, options = PEERS[sampler]
            kind = getattr(diffusers, name)
            self._schedulers[sampler] = kind.from_config(self._config, timestep_spacing="trailing", **options)
        return self._schedulers[sampler]


class Worker:
    """A thread that loads the pipelines and makes edits, in the order in which they come."""

    def __init__(self, load: Callable[[], Pipelines]) -> None:
        self._waiting: queue.SimpleQueue[tuple[Asked, Future[Made]]] = queue.SimpleQueue()
        self.ready = threading.Event()
        threading.Thread(target=self._run, args=(load,), name="worker", daemon=True).start()

    def submit(self, asked: Asked) -> "Future[Made]":
        """Fails with whatever the pipeline raises."""
        future: Future[Made] = Future()
        self._waiting.put((asked, future))
        return future

    def _run(self, load: Callable[[], Pipelines]) -> None:
        try:
            pipelines = load()
        except BaseException:
            traceback.print_exc()
            os._exit(3)  # a server that will never have a model
        self.ready.set()
        while True:
            asked, future = self._waiting.get()
            if not future.set_running_or_notify_cancel():
                continue  # who asked has left
            try:
                future.set_result(pipelines.edit(asked))
            except Exception as e:
                future.set_exception(e)


def create_app(worker: Worker) -> FastAPI:
    """The server's app."""
    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> Response:
        return Response(status_code=200 if worker.ready.is_set() else 503)

    @app.post("/edit")
    async def edit(
        image: Annotated[UploadFile, File()],
        prompt: Annotated[str, Form()],
        mask: Annotated[UploadFile | None, File()] = None,
        strength: Annotated[float, Form(gt=0, le=1)] = 0.6,
        num_inference_steps: Annotated[int, Form(ge=1, le=1000)] = 30,
        guidance_scale: Annotated[float, Form(ge=1, le=50)] = 7.5,
        sampler: Annotated[SamplerName, Form()] = "dpm++2m",
        seed: Annotated[int, Form(ge=0)] = 0,
    ) -> Response:
        data = await image.read()
        mask_data = None if mask is None else await mask.read()
        picture = await run_in_threadpool(decoded, data, "RGB")
        where = None if mask_data is None else await run_in_threadpool(decoded, mask_data, "L")
        asked = Asked(picture, where, prompt, strength, num_inference_steps, guidance_scale, sampler, seed)
        made = await asyncio.wrap_future(worker.submit(asked))
        told = {"x-calls": str(made.calls), "x-dtype": made.dtype}
        return Response(await run_in_threadpool(encoded, made.image), media_type="image/png", headers=told)

    return app


def decoded(data: bytes, mode: str) -> Image.Image:
    """A picture from a file. Raises HTTP's 400 where it is none."""
    try:
        return Image.open(io.BytesIO(data)).convert(mode)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as e:
        raise HTTPException(400, "this is no picture that can be read") from e


def encoded(image: Image.Image) -> bytes:
    """As a PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def main() -> None:
    """Serve until the process is ended. It is started as ``overpaint serve`` is, so it knows those options too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve.peer", description=__doc__.split("\n\n")[0])
    parser.add_argument("command", nargs="?", choices=["serve"], help="may stand there")
    parser.add_argument("--model", default=EMBEDDED, help="a folder of a model, or the included one")
    parser.add_argument("--best", action="store_true", help="channels last, bfloat16")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--port-file", type=Path, help="gets the port that was taken")
    parser.add_argument("--folder", help="not used: nothing is kept")
    parser.add_argument("--log-format", help="not used")
    told = parser.parse_args()
    _, folder = locate(told.model)
    app = create_app(Worker(lambda: Pipelines(folder, told.best)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", told.port), backlog=2048) as listening:
        if told.port_file is not None:
            write_atomically(told.port_file, f"{listening.getsockname()[1]}\n".encode())
        server.run([listening])


if __name__ == "__main__":
    main()
