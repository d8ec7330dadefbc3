"""Who takes part: each a server that is started for its turn, knows how to be asked, and whether an answer is right."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from benchmarks.serve.client import Answer, Request, form
from benchmarks.serve.mix import Wish
from overpaint.checkpoint import EMBEDDED
from overpaint.model_loading import DtypeName
from tests.live import LiveServer

# of OpenMP's threads while they wait: "default" leaves OMP_WAIT_POLICY alone, so it is as a server comes
Policy = Literal["default", "passive", "active"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
VARIABLE = "OMP_WAIT_POLICY"
ROOT = Path(__file__).parent.parent.parent
_PEER = "from benchmarks.serve.peer import main; main()"


class Entrant(Protocol):
    """A kind of server."""

    @property
    def name(self) -> str: ...

    @property
    def policy(self) -> Policy: ...

    def start(self, folder: Path) -> LiveServer:
        """A new one, which may not be ready yet; ``folder`` is for what it keeps and says."""

    def request(self, wish: Wish) -> Request:
        """How it is asked for an edit whose answer is the picture."""

    def calls(self, answer: Answer) -> int:
        """How often it called the network for an edit."""

    def dtype_told(self, server: LiveServer, answer: Answer) -> str:
        """In which dtype it made an edit."""


@dataclass(frozen=True)
class Ours:
    """``overpaint serve``.

    Attributes:
        options: of the command, beside those that say what it runs on.
    """

    name: str
    policy: Policy = "default"
    dtype: DtypeName = "auto"
    model: str = EMBEDDED
    options: tuple[str, ...] = ()

    def start(self, folder: Path) -> LiveServer:
        with wait_policy(self.policy):
            return LiveServer(folder, "--device", "cpu", "--dtype", self.dtype, "--model", self.model, *self.options)

    def request(self, wish: Wish, *, wait: bool = True) -> Request:
        files = {"image": wish.image, **({} if wish.mask is None else {"map": wish.mask})}
        return form("/v1/edits", {**fields(wish), "wait": str(wait).lower()}, files)

    def calls(self, answer: Answer) -> int:
        return int(answer.headers["x-overpaint-steps-run"])  # all samplers of the mix call once a step

    def dtype_told(self, server: LiveServer, answer: Answer) -> str:
        job = server.ask(f"/v1/jobs/{answer.headers['x-overpaint-job']}").json()
        return str(job["facts"]["recipe"]["made_with"]["dtype"])


def fields(wish: Wish) -> dict[str, object]:
    """The parameters of an edit at the picture's own size, as ours calls them."""
    task = wish.task
    return {
        "prompt": wish.prompt,
        "strength": task.strength,
        "steps": task.steps,
        "guidance_scale": task.guidance,
        "sampler": task.sampler,
        "schedule": "trailing",
        "seed": task.seed,
        "size": "input",
        "detail": 0,
    }


@dataclass(frozen=True)
class Theirs:
    """diffusers behind HTTP; see ``peer``."""

    name: str
    policy: Policy = "default"
    best: bool = False
    model: str = EMBEDDED

    def start(self, folder: Path) -> LiveServer:
        options = ["--model", self.model, *(["--best"] if self.best else [])]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with wait_policy(self.policy):
            return LiveServer(folder, *options, environment={"PYTHONPATH": path}, program=_PEER)

    def request(self, wish: Wish) -> Request:
        task = wish.task
        told: dict[str, object] = {
            "prompt": wish.prompt,
            "strength": task.strength,
            "num_inference_steps": task.steps,
            "guidance_scale": task.guidance,
            "sampler": task.sampler,
            "seed": task.seed,
        }
        return form("/edit", told, {"image": wish.image, **({} if wish.mask is None else {"mask": wish.mask})})

    def calls(self, answer: Answer) -> int:
        return int(answer.headers["x-calls"])

    def dtype_told(self, server: LiveServer, answer: Answer) -> str:
        return answer.headers["x-dtype"]


def check(entrant: Entrant, wish: Wish, answer: Answer) -> None:
    """Raises ``AssertionError`` where an answer is not the picture that was asked for, or was less or more work."""
    name, task = entrant.name, wish.task
    assert answer.status == 200, f"{name} answers {answer.status} to {task}: {answer.body[:500]!r}"
    assert answer.body[:16] == wish.image[:16], f"{name} answers with something else than a PNG"
    assert answer.body[16:24] == wish.image[16:24], f"{name} answers with a picture of another size"
    calls = entrant.calls(answer)
    assert calls == task.calls, f"{name} took {calls} network calls for {task}, not {task.calls}"


@contextmanager
def wait_policy(policy: Policy) -> Iterator[None]:
    """The environment of processes that are started meanwhile."""
    before = os.environ.pop(VARIABLE, None)
    if policy != "default":
        os.environ[VARIABLE] = policy
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before
