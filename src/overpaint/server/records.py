"""What the server remembers, as values: a job, what it asks for and how it ended; a picture that was sent ahead.

Their JSON, which is what the database holds, is ASCII: a text with a NUL or half a character in it is stored like any
other.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from overpaint.errors import ParameterError
from overpaint.maps.changemap import ByName
from overpaint.params import EditParams, reject_unknown, specs

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")

Phase = Literal["loading", "ready", "draining", "broken"]  # of the server itself
PHASES: tuple[Phase, ...] = get_args(Phase)

FormatName = Literal["png", "jpeg", "webp"]  # of a result, and its file's ending
FORMATS: tuple[FormatName, ...] = get_args(FormatName)

# what a wish to cancel came to: ended with it; the runner is told; there was nothing left to cancel; no such job
Cancelling = Literal["cancelled", "asked", "ended", "unknown"]

LARGEST = 2**53 - 1  # whole numbers up to here survive JSON in a browser
_KEY = re.compile(r"[!-~]{1,255}")
_OWNER = re.compile(r"[ -~]{0,100}")


def new_id() -> str:
    """128 random bits. Hexadecimal, so that it goes into a URL, a file's name and a command line as it is."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class AskedLayer:
    """A ``request.Layer`` whose map is told by the SHA-256 of its file."""

    map: str
    prompt: str
    strength: float | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None


@dataclass(frozen=True)
class Asked:
    """All that decides a job's result, but for the model.

    Attributes:
        params: the fields of ``EditParams`` that are not None, with all seeds drawn: a job that runs again after a
            crash must come to the same bytes.
        image, map, mask, scribble, changed_from: SHA-256 of the files' bytes, by which ``Files`` keeps them; what they
            mean stands in ``marks.Marks``, as for ``mask_by``, ``soft`` and ``tools``.
        format: of the result.
        fidelity: whether what the result keeps of the picture is measured and told with it.
    """

    params: Mapping[str, Any]
    image: str | None = None
    map: str | None = None
    mask: str | None = None
    mask_by: ByName = "brightness"
    soft: bool = False
    tools: tuple[str, ...] = ()
    scribble: str | None = None
    changed_from: str | None = None
    layers: tuple[AskedLayer, ...] = ()
    format: FormatName = "png"
    fidelity: bool = False

    def __post_init__(self) -> None:
        if self.params.get("seed", -1) == -1 or str(self.params.get("variation", "")).startswith("-1,"):
            raise ValueError("a job is stored with its seeds drawn")

    @classmethod
    def of(cls, params: EditParams, image: str | None = None, **rest: Any) -> "Asked":
        """With the parameters as they were checked."""
        given = {f.name: getattr(params, f.name) for f, _ in specs()}
        return cls({name: value for name, value in given.items() if value is not None}, image, **rest)

    def edit_params(self) -> EditParams:
        """The parameters, checked again: another version of this program may have stored them."""
        known = {f.name for f, _ in specs()}
        reject_unknown([name for name in self.params if name not in known])
        return EditParams(**self.params)

    @property
    def digests(self) -> frozenset[str]:
        """The files that it takes to make it."""
        own = (self.image, self.map, self.mask, self.scribble, self.changed_from)
        return frozenset(d for d in (*own, *(layer.map for layer in self.layers)) if d)

    def to_json(self) -> str:
        return dump({**asdict(self), "params": dict(self.params)})

    @classmethod
    def from_json(cls, text: str) -> "Asked":
        told = json.loads(text)
        layers = tuple(AskedLayer(**layer) for layer in told["layers"])
        return cls(**{**told, "layers": layers, "tools": tuple(told["tools"])})


@dataclass(frozen=True)
class Failure:
    """Why a job failed, in the words of the API's errors: safe to show to its owner."""

    type: str
    code: str
    message: str
    param: str | None = None


@dataclass(frozen=True)
class Made:
    """A result: its file, and what is told of it (seed, t0, size, warnings, fidelity ...).

    Attributes:
        digest, bytes: SHA-256 and size of the file.
        facts: names to what JSON can tell.
    """

    format: FormatName
    digest: str
    bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job as it is stored.

    Attributes:
        owner: name or hash of the API key it came with; "" where none is needed.
        number: its place in the order of arrival, given by the store.
        created, started, finished, deadline: seconds UTC; finished is there if and only if the job has ended.
        cost: network rows x pixels, as ``work`` counts.
        sweep: what jobs that were asked for together have in common.
        attempts: how often it was interrupted while it ran.
        cancel_asked: its owner wishes that it ends; while it runs, the runner sees to that.
        key: the idempotency key it came with.
        fingerprint: SHA-256 of the request as it was sent, before a seed was drawn: what tells whether a request with
            the same key is the same one again.
    """

    asked: Asked
    id: str = field(default_factory=new_id)
    owner: str = ""
    state: State = "queued"
    number: int = 0
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    deadline: float | None = None
    cost: int = 0
    sweep: str | None = None
    attempts: int = 0
    cancel_asked: bool = False
    key: str | None = None
    fingerprint: str = ""
    failure: Failure | None = None
    made: Made | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise ParameterError("idempotency_key", "must be 1 to 255 characters of ASCII without spaces")
        if not _OWNER.fullmatch(self.owner):
            raise ValueError("an owner's name is at most 100 characters of ASCII")
        if not 0 <= self.cost <= LARGEST:
            raise ValueError(f"a job's cost is {self.cost}, must be 0 to {LARGEST}")


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """A picture that was sent ahead of its edits: its file, upright size, and what decoding it had to say."""

    digest: str
    width: int
    height: int
    id: str = field(default_factory=new_id)
    owner: str = ""
    notes: tuple[str, ...] = ()
    created: float = 0.0


@dataclass(frozen=True)
class Counts:
    """Jobs by state, those forgotten since among them, and how many were ever accepted.

    ``accepted`` is counted by itself, so that a job that was lost would show.
    """

    accepted: int
    queued: int
    running: int
    done: int
    failed: int
    cancelled: int

    @property
    def adds_up(self) -> bool:
        return self.accepted == self.queued + self.running + self.done + self.failed + self.cancelled


@dataclass(frozen=True)
class Recovered:
    """What became of the jobs that were running when the server went down."""

    queued: int
    failed: int
    cancelled: int


def dump(value: Any) -> str:
    """As JSON in ASCII; equal values are equal texts."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
