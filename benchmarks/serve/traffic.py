"""The items that are contests: a turn of one entrant, from a new server to its end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.serve.entrants import Entrant, Ours, Policy, Theirs
from benchmarks.serve.loops import Loops
from benchmarks.serve.mix import EVERY_KIND, LONG, SHORT, SIDE, Wishes, arrivals, mixed_tasks
from benchmarks.serve.results import Load, Measured, Plan, Served
from benchmarks.speed.results import BEST, FLOAT32, OURS, PEER
from benchmarks.speed.turns import Turns

ITEMS = ("closed", "open", "short")
SHORTS_ALONE = 3  # in a turn
LEAD = 1.0  # seconds from the long edits to the short one: by then all of them were received
TRIAL = 8  # edits in the closed loop that finds the better wait policy
_TRIAL = 10**6  # its seed, beside those of the turns
_WARM_UP = 3000  # the number of the first edit to warm up with


@contextmanager
def served(entrant: Entrant, side: int = SIDE) -> Iterator[tuple[Loops, str]]:
    """A new server that is warm: it has made edits of every kind. With the dtype that it told. Ended afterwards."""
    with TemporaryDirectory(prefix="overpaint-bench-") as folder, entrant.start(Path(folder)) as server:
        server.wait_ready()
        loops = Loops(entrant, server)
        wishes = Wishes(0, side, _WARM_UP)
        try:
            loops.alone(wishes.of(EVERY_KIND, masked=0))
            loops.alone(wishes.of(EVERY_KIND, masked=1))
            yield loops, loops.dtype(wishes.of([SHORT], masked=0)[0])
        except BaseException as e:
            e.add_note(f"what the server said at last:\n{server.said()[-2000:]}")
            raise


@dataclass
class Traffic:
    """Measures entrants, each in turns; the first of them is ours, and says how fast the open loop is.

    Attributes:
        items: of ``ITEMS``.
        rate: arrivals a second in the open loop, once ours has been measured.
    """

    plan: Plan
    items: Sequence[str]
    side: int = SIDE
    rate: float | None = None
    _dtypes: dict[str, str] = field(default_factory=dict)

    def of(self, entrants: Sequence[Entrant], tell: Callable[[str], None] = print) -> list[Measured]:
        """All of them in turns; ``tell`` hears how far it is. Ours in float32 takes part in the closed loop only."""
        entrants = [one for one in entrants if self._items(one)]

        def measure(entrant: Entrant) -> Callable[[int], Served]:
            def turn(number: int) -> Served:
                tell(f"turn {number + 1} of {self.plan.repeat}: {entrant.name}")
                return self.turn(entrant, number)

            return turn

        found = Turns(self.plan.repeat, 0).of({entrant.name: measure(entrant) for entrant in entrants})
        return [Measured(one.name, one.policy, self._dtypes[one.name], tuple(found[one.name])) for one in entrants]

    def turn(self, entrant: Entrant, number: int) -> Served:
        """With the edits of this turn, which are everybody's."""
        plan, seed, items = self.plan, self.plan.seed + number, self._items(entrant)
        tasks, wishes = mixed_tasks(plan.edits, seed), Wishes(seed, self.side)
        done = Served()
        with served(entrant, self.side) as (loops, dtype):
            self._dtypes[entrant.name] = dtype
            if "closed" in items or "open" in items:
                closed = loops.closed(wishes.of(tasks), plan.clients)
                done = replace(done, closed=closed, alone=loops.alone(wishes.of(tasks)))
                if self.rate is None:
                    self.rate = plan.load * len(tasks) / closed.seconds
            if "open" in items and self.rate is not None:
                times = arrivals(len(tasks), self.rate, seed)
                done = replace(done, opened=loops.opened(wishes.of(tasks), times))
            if "short" in items:
                done = self._short(loops, wishes, done)
        return done

    def _items(self, entrant: Entrant) -> list[str]:
        return [item for item in self.items if item == "closed" or entrant.name != FLOAT32]

    def _short(self, loops: Loops, wishes: Wishes, done: Served) -> Served:
        alone = loops.alone(wishes.of([SHORT] * SHORTS_ALONE, masked=0)).latencies
        longs, (short,) = wishes.of([LONG] * self.plan.longs, masked=0), wishes.of([SHORT], masked=0)
        return replace(done, short_alone=alone, short_behind=(loops.behind(longs, short, LEAD),))


def ours(policies: Sequence[Policy]) -> list[Ours]:
    """With its defaults under the first policy, then under the others, then in float32."""
    first, *others = policies
    named = [Ours(f"{OURS}, OMP_WAIT_POLICY={policy}", policy) for policy in others]
    return [Ours(OURS, first), *named, Ours(FLOAT32, first, "float32")]


def theirs(
    policies: Sequence[Policy], plan: Plan, tell: Callable[[str], None] = print
) -> tuple[list[Entrant], dict[str, dict[str, float]]]:
    """diffusers as it comes and at its best, each under the policy with which it is faster here; and how fast it was
    with each, in edits a second."""
    found: list[Entrant] = []
    trials: dict[str, dict[str, float]] = {}
    for name in (PEER, BEST):
        tried = {policy: Theirs(name, policy, best=name == BEST) for policy in policies}
        if len(tried) > 1:
            trials[name] = {}
            for policy, entrant in tried.items():
                tell(f"trial of OMP_WAIT_POLICY={policy}: {name}")
                trials[name][policy] = _speed(trial(entrant, plan))
        found.append(max(tried.values(), key=lambda one: trials.get(name, {}).get(one.policy, 0.0)))
    return found, trials


def trial(entrant: Entrant, plan: Plan, side: int = SIDE) -> Load:
    """A short closed loop."""
    with served(entrant, side) as (loops, _):
        return loops.closed(Wishes(_TRIAL, side).of(mixed_tasks(TRIAL, _TRIAL)), plan.clients)


def _speed(load: Load) -> float:
    return len(load.latencies) / load.seconds
