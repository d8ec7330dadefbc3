"""Who takes part: Overpaint, and diffusers' image-to-image pipeline, each making any edits of ``work``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch

from benchmarks.speed.apart import Apart, Entrant
from benchmarks.speed.results import BEST, FLOAT32, OURS, PEER
from benchmarks.speed.work import Edit, Task
from overpaint import images
from overpaint.checkpoint import locate
from overpaint.editor import Editor
from overpaint.model_loading import DtypeName, quiet_libraries
from overpaint.request import EditRequest
from overpaint.result import EditResult
from overpaint.samplers import SamplerName
from tests.peers import PEERS


@dataclass(frozen=True)
class Ours:
    """Overpaint: all edits in one ``edit_many``."""

    name: str
    editor: Editor

    @property
    def dtype(self) -> str:
        return _words(self.editor.model.dtype)

    def make(self, edits: Sequence[Edit]) -> None:
        outcomes = list(self.editor.edit_many([_request(edit) for edit in edits]))
        for outcome in outcomes:
            if not isinstance(outcome, EditResult):
                raise outcome
            _check_calls(self.name, edits[outcome.index].task, outcome.network_calls)
        assert len(outcomes) == len(edits)


@dataclass(frozen=True)
class Theirs:
    """diffusers: one edit after another, each with the scheduler that is the peer of its sampler."""

    name: str
    pipe: Any
    _schedulers: dict[SamplerName, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        return _words(self.pipe.vae.dtype)  # a compiled network has none of its own

    def make(self, edits: Sequence[Edit]) -> None:
        for edit in edits:
            task = edit.task
            self.pipe.scheduler = self._scheduler(task.sampler)
            self.pipe(
                edit.prompt,
                image=images.to_pil(edit.picture),
                strength=task.strength,
                num_inference_steps=task.steps,
                guidance_scale=task.guidance,
                generator=torch.Generator(self.pipe.device).manual_seed(task.seed),
            )
            _check_calls(self.name, task, self.pipe.num_timesteps)

    def _scheduler(self, sampler: SamplerName) -> Any:
        """Made once: who changes schedulers needs no new one for every picture."""
        if sampler not in self._schedulers:
            name, options = PEERS[sampler]
            config = self.pipe.scheduler.config
            self._schedulers[sampler] = getattr(diffusers, name).from_config(
                config, timestep_spacing="trailing", **options
            )
        return self._schedulers[sampler]


def _request(edit: Edit) -> EditRequest:
    task = edit.task
    return EditRequest(
        edit.picture,
        edit.prompt,
        steps=task.steps,
        strength=task.strength,
        guidance_scale=task.guidance,
        sampler=task.sampler,
        schedule="trailing",
        seed=task.seed,
        size="input",
        detail=0,
    )


def _check_calls(name: str, task: Task, calls: int) -> None:
    assert calls == task.calls, f"{name} took {calls} network calls for {task}, not {task.calls}"


def _words(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# ---- making them -----------------------------------------------------------------------------------------------------


def default_pipeline(folder: Path, device: str) -> Any:
    """As diffusers' documentation tells people to use it: float16 on CUDA, and otherwise as it comes."""
    return _pipeline(folder, device, torch.float16 if device == "cuda" else torch.float32)


def best_pipeline(folder: Path, device: str) -> Any:
    """As its pages on speed tell people: channels_last, and bfloat16 on a CPU, a compiled network on CUDA."""
    pipe = _pipeline(folder, device, torch.float16 if device == "cuda" else torch.bfloat16)
    for network in (pipe.unet, pipe.vae):
        network.to(memory_format=torch.channels_last)
    if device == "cuda":
        pipe.unet = torch.compile(pipe.unet, mode="reduce-overhead", fullgraph=True)
    return pipe


def _pipeline(folder: Path, device: str, dtype: torch.dtype) -> Any:
    with quiet_libraries():
        pipe = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def ours(name: str, model: str | Path, device: Literal["cpu", "cuda"], dtype: DtypeName = "auto") -> Ours:
    """Overpaint in this process."""
    return Ours(name, Editor(model, device=device, dtype=dtype))


def theirs(name: str, folder: Path, device: str) -> Theirs:
    """diffusers in this process."""
    return Theirs(name, (best_pipeline if name == BEST else default_pipeline)(folder, device))


@contextmanager
def contestants(model: str | Path, device: Literal["cpu", "cuda"]) -> Iterator[list[Entrant]]:
    """All of them on one model's weights. Overpaint with its defaults comes first; on a CPU also in float32.

    It is in this process, the others are each in one of their own, as they would be for their users: OpenMP's threads
    for one of them would slow down those for another.
    """
    _, folder = locate(model)
    with ExitStack() as stack:
        first = ours(OURS, model, device)
        stack.enter_context(first.editor)
        others: list[Callable[[], Entrant]] = [partial(theirs, name, folder, device) for name in (PEER, BEST)]
        if device == "cpu":
            others.insert(0, partial(ours, FLOAT32, model, device, "float32"))
        yield [first, *(stack.enter_context(Apart(build)) for build in others)]
