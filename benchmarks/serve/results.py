"""What was measured, as values and as JSON, and what it comes to: rates, percentiles, goals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

from benchmarks.serve.figures import percentile, slope
from benchmarks.serve.watching import Sample
from benchmarks.speed.results import BEST, OURS, PEER

FASTER, NOT_SLOWER = 1.8, 1.0  # times the edits a second of diffusers as it comes, and of its best
LOADED, BEHIND = 3.5, 3.0  # times its time alone: p95 with many, a short edit behind long ones
Loop = Literal["alone", "closed", "opened"]


@dataclass(frozen=True)
class Load:
    """A number of edits, asked for in one way.

    Attributes:
        seconds: from the first being sent to the last being answered.
        latencies: seconds of each, in the order of the edits.
        rows: network rows that they need.
        client_cpu, server_cpu: processor seconds of this process, and of the server and its children.
    """

    seconds: float
    latencies: tuple[float, ...]
    rows: int
    client_cpu: float
    server_cpu: float


@dataclass(frozen=True)
class Served:
    """What one server did in one turn; None or empty where that was not measured.

    Attributes:
        short_alone, short_behind: seconds of a short edit with nobody else there, and behind long ones.
    """

    alone: Load | None = None
    closed: Load | None = None
    opened: Load | None = None
    short_alone: tuple[float, ...] = ()
    short_behind: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measured:
    """One entrant in all turns.

    Attributes:
        policy: OMP_WAIT_POLICY of its process.
        dtype: what its networks compute in.
    """

    name: str
    policy: str
    dtype: str
    turns: tuple[Served, ...]

    def loads(self, loop: Loop) -> list[Load]:
        return [load for turn in self.turns if (load := getattr(turn, loop)) is not None]

    def edits_per_second(self, loop: Loop) -> list[float]:
        """In each turn."""
        return [len(load.latencies) / load.seconds for load in self.loads(loop)]

    def rows_per_second(self, loop: Loop) -> list[float]:
        return [load.rows / load.seconds for load in self.loads(loop)]

    def latencies(self, loop: Loop) -> list[float]:
        """Of all turns."""
        return [seconds for load in self.loads(loop) for seconds in load.latencies]

    def latency(self, loop: Loop, q: float) -> float:
        return percentile(self.latencies(loop), q)

    def client_share(self, loop: Loop) -> float:
        """Of one processor core, what asking took."""
        loads = self.loads(loop)
        return sum(load.client_cpu for load in loads) / sum(load.seconds for load in loads)

    @property
    def short(self) -> tuple[float, float] | None:
        """Median seconds of a short edit: alone, and behind long ones."""
        alone = [seconds for turn in self.turns for seconds in turn.short_alone]
        behind = [seconds for turn in self.turns for seconds in turn.short_behind]
        return (median(alone), median(behind)) if alone and behind else None


@dataclass(frozen=True)
class Overhead:
    """What ours takes beside the network; seconds where nothing else is said.

    Attributes:
        edit, edit_in_process: one edit over HTTP, and by ``Editor.edit`` in a process without a server.
        without_network: an edit of strength 0 over HTTP: receiving, reading, storing, writing, sending.
        accepted, accepted_under_load: from POST to the answer that the job is stored.
        livez_under_load: GET /livez.
        jobs: GET /v1/jobs/{id}, answers a second; ``connections`` ask all the time, and take ``client_share`` of a
            core.
    """

    edit: tuple[float, ...]
    edit_in_process: tuple[float, ...]
    without_network: tuple[float, ...]
    accepted: tuple[float, ...]
    accepted_under_load: tuple[float, ...]
    livez_under_load: tuple[float, ...]
    jobs: tuple[float, ...]
    connections: int
    client_share: float


@dataclass(frozen=True)
class Soak:
    """A long time with everything that goes wrong.

    Attributes:
        restarts: seconds from the start of each new server to its being ready, after the one before was killed.
        acknowledged: jobs whose id was answered to us.
        lost: those of them that the server does not know, or that have not ended, at the end.
        accepted, done, failed, cancelled: what the server's database says at the end.
        statuses: how often each status was answered.
        unexpected: answers that are not what they should be, in words; each kind once.
        unanswered: requests that a killed server left without an answer.
        samples: of the server's process, all the time.
    """

    minutes: float
    restarts: tuple[float, ...]
    acknowledged: int
    lost: int
    accepted: int
    done: int
    failed: int
    cancelled: int
    statuses: Mapping[str, int]
    unexpected: tuple[str, ...]
    unanswered: int
    samples: tuple[Sample, ...]

    @property
    def adds_up(self) -> bool:
        """Whether every accepted job ended exactly once, and none was lost."""
        ended = self.done + self.failed + self.cancelled
        return self.accepted == ended and self.accepted >= self.acknowledged and not self.lost

    @property
    def settled(self) -> Sequence[Sample]:
        """The later half of the last life: what is kept for reuse has been filled by then."""
        last = [sample for sample in self.samples if sample.life == self.samples[-1].life] if self.samples else []
        return last[len(last) // 2 :]

    def per_minute(self, what: Literal["megabytes", "workers", "files", "threads"]) -> float:
        """How much it grew, settled."""
        return slope([s.seconds / 60 for s in self.settled], [getattr(s, what) for s in self.settled])


@dataclass(frozen=True)
class Plan:
    """How much is asked for.

    Attributes:
        edits: in each loop of a turn.
        clients: in the closed loop.
        load: of the open loop, as a part of what ours does in the closed one.
        longs: edits of 50 steps that a short one comes behind.
    """

    edits: int = 40
    clients: int = 8
    load: float = 0.7
    longs: int = 8
    repeat: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """All that was measured, and on what.

    Attributes:
        rate: arrivals a second in the open loop; None where that was not measured.
        trials: edits a second of a short closed loop by wait policy, for those of whom the better one was taken.
    """

    device: str
    machine: Mapping[str, str]
    plan: Plan
    rate: float | None = None
    entrants: tuple[Measured, ...] = ()
    trials: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    overhead: Overhead | None = None
    soak: Soak | None = None

    def entrant(self, name: str) -> Measured | None:
        return next((one for one in self.entrants if one.name == name), None)


# ---- goals -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    """A ratio that we set out to reach.

    Attributes:
        who: on whose line it is told.
    """

    item: str
    who: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


def goals(run: Run) -> list[Goal]:
    """Those whose numbers are there."""
    found: list[Goal] = []
    ours = run.entrant(OURS)
    if ours is None:
        return found
    for name, least in ((PEER, FASTER), (BEST, NOT_SLOWER)):
        theirs = run.entrant(name)
        if theirs is not None and ours.loads("closed") and theirs.loads("closed"):
            found.append(Goal("closed", name, times(ours, theirs), least=least))
    if ours.loads("opened") and ours.loads("alone"):
        found.append(Goal("open", OURS, ours.latency("opened", 95) / ours.latency("alone", 95), most=LOADED))
    if ours.short is not None:
        found.append(Goal("short", OURS, ours.short[1] / ours.short[0], most=BEHIND))
    return found


def times(one: Measured, other: Measured) -> float:
    """How many times as many edits a second it does as another, in the closed loop."""
    return median(one.edits_per_second("closed")) / median(other.edits_per_second("closed"))


# ---- JSON ------------------------------------------------------------------------------------------------------------


def as_json(run: Run) -> dict[str, Any]:
    """All numbers, and for readers what they come to."""
    told = [{**asdict(goal), "reached": goal.reached} for goal in goals(run)]
    return {**asdict(run), "told": {"goals": told, "soak_adds_up": run.soak and run.soak.adds_up}}


def from_json(told: Mapping[str, Any]) -> Run:
    """The run that ``as_json`` told."""
    values = {name: value for name, value in told.items() if name != "told"}
    values["plan"] = Plan(**told["plan"])
    values["entrants"] = tuple(_measured(one) for one in told["entrants"])
    values["overhead"] = None if told["overhead"] is None else Overhead(**_tuples(told["overhead"]))
    values["soak"] = None if told["soak"] is None else _soak(told["soak"])
    return Run(**values)


def _measured(told: Mapping[str, Any]) -> Measured:
    return Measured(**{**told, "turns": tuple(_served(turn) for turn in told["turns"])})


def _served(told: Mapping[str, Any]) -> Served:
    values = _tuples(told)
    loads = {name: Load(**_tuples(value)) for name, value in values.items() if isinstance(value, dict)}
    return Served(**{**values, **loads})


def _soak(told: Mapping[str, Any]) -> Soak:
    return Soak(**{**_tuples(told), "samples": tuple(Sample(**sample) for sample in told["samples"])})


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    """With JSON's lists as the tuples that they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
