"""A job that is a search: rounds of edits of one picture and seed, until one keeps what was asked for."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from overpaint.errors import EditCancelled, OverpaintError, as_ours
from overpaint.explore import fidelity_of
from overpaint.fidelity import kept
from overpaint.goal import ROUNDS, Goal
from overpaint.job import EditJob, StepEvent
from overpaint.picture import Picture
from overpaint.result import EditResult

PER_ROUND = 100  # steps of a search that are told in each round: hundredths of it
Submit = Callable[[Sequence[float], bool], Sequence[EditJob]]  # of strengths, and whether steps are to have previews


class SearchJob(EditJob):
    """The edit that comes nearest to a goal. The trials of a round share batches, among each other and with all others.

    Args:
        submit: starts the edit at each of some strengths; called here at once, and later on a thread of this job's.
        picture: what is edited, and what the results are compared with.
    """

    def __init__(self, goal: Goal, submit: Submit, picture: Picture, preview: bool = False) -> None:
        super().__init__()
        self._preview = preview
        self._goal, self._submit, self._picture = goal, submit, picture
        self._round = 0
        self._told = 0
        self._trials: list[EditJob] = []  # of this round, those not yet measured; then they are let go of
        self._shares: list[float] = []  # how far each trial of this round is, 0..1
        self._best: EditResult | None = None
        self.claim()  # nobody else ends it
        self.set_running_or_notify_cancel()
        self._begin(goal.next)  # what is wrong with the request is raised here
        threading.Thread(target=self._run, name="overpaint-search", daemon=True).start()

    @property
    def preview(self) -> bool:
        """As of any job: of the trials under way, and of those to come."""
        return self._preview

    @preview.setter
    def preview(self, wanted: bool) -> None:
        with self._news:
            self._preview = wanted
            for job in list(self._trials):
                job.preview = wanted

    def cancel(self) -> bool:
        """End the search, and the trials that are under way."""
        promised = super().cancel()
        for job in list(self._trials):
            job.cancel()
        return promised

    def _begin(self, strengths: Sequence[float]) -> None:
        self._shares = [0.0] * len(strengths)
        trials = list(self._submit(strengths, self._preview))
        with self._news:
            self._trials = trials
            self.preview = self._preview  # another may have been set in the meantime
        for place, job in enumerate(self._trials):
            job.listen(partial(self._step, self._round, place))
        if self.cancel_asked:  # in the meantime
            self.cancel()

    def _step(self, of_round: int, place: int, event: StepEvent) -> None:
        """On the engine's thread: how far the search is, with the preview of whichever trial took the step."""
        if of_round != self._round:
            return
        self._shares[place] = event.step / event.steps
        step = int(PER_ROUND * (of_round + sum(self._shares) / len(self._shares)))
        if step > self._told:
            self._told = step
            self.tell(StepEvent(step, PER_ROUND * ROUNDS, event.t, event.preview))

    def _run(self) -> None:
        try:
            while self._trials:
                self._end_round()
            assert self._best is not None
            if not self.settle():
                raise EditCancelled("cancelled after its last trial")
        except Exception as e:  # whatever goes wrong belongs to this search
            self._give_up(as_ours(e))
        else:
            warnings = (*self._best.warnings, self._goal.note)
            self.set_result(replace(self._best, goal=self._goal, warnings=warnings))

    def _end_round(self) -> None:
        """Wait for the trials, see what they kept, and begin the next round if there is one."""
        while self._trials:
            result: EditResult = self._trials[0].result()
            del self._trials[0]
            strength = result.params.strength
            fidelity = fidelity_of(result, self._picture)
            assert fidelity is not None  # no picture that grows is searched for
            self._goal = self._goal.with_trials({strength: kept(fidelity, self._goal.measure)})
            if self._goal.strength == strength:
                self._best = result
        self._round += 1
        if self._round < ROUNDS and (more := self._goal.next):
            self._begin(more)

    def _give_up(self, error: OverpaintError) -> None:
        for job in self._trials:
            job.cancel()
        self.set_exception(error)
