"""A run as people read it: Markdown tables, their place in a page, and what it was measured on."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from benchmarks.serve.figures import percentile
from benchmarks.serve.results import Goal, Loop, Measured, Overhead, Run, Soak, goals, times
from benchmarks.speed.results import OURS

END = "<!-- measured end -->"


def about(run: Run) -> str:
    """The machine, and how much was asked for."""
    plan = run.plan
    told = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    turns = f"{plan.repeat} turn{'s' if plan.repeat > 1 else ''}"
    return f"{told}. {turns}, each with {plan.edits} edits in each loop; the closed loop has {plan.clients} clients."


def summary(run: Run) -> str:
    """All of it, as it stands in a page."""
    parts = [about(run), *(part for make in (closed, opened, short, trials) if (part := make(run)))]
    if run.overhead is not None:
        parts.append(overhead(run.overhead))
    if run.soak is not None:
        parts.append(soaked(run.soak))
    return "\n\n".join(parts) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, ["---"] * len(headings), *rows])


# ---- the contests ----------------------------------------------------------------------------------------------------


def closed(run: Run) -> str:
    """Who does how much, where there is always more to do."""
    ours = run.entrant(OURS)
    headings = ("who", "edits/s", "range", "network rows/s", "ours is x faster", "p50", "p95", "asking takes", "goal")

    def row(one: Measured) -> list[str]:
        speeds = one.edits_per_second("closed")
        ratio = "" if ours is None or one is ours or not ours.loads("closed") else f"{times(ours, one):.2f}"
        span = f"{number(min(speeds))} to {number(max(speeds))}"
        cells = [number(median(speeds)), span, number(median(one.rows_per_second("closed"))), ratio]
        return [
            who(one),
            *cells,
            *_latencies(one, "closed"),
            share(one.client_share("closed")),
            _goal(run, "closed", one),
        ]

    return _table(run, "closed", headings, row)


def opened(run: Run) -> str:
    """How long it takes where people come as they like, beside how long it takes alone."""
    headings = (
        "who",
        "one at a time: p50",
        "p95",
        f"{number(run.rate or 0)} arrivals/s: p50",
        "p95",
        "x its p95 alone",
        "goal",
    )

    def row(one: Measured) -> list[str]:
        ratio = f"{one.latency('opened', 95) / one.latency('alone', 95):.2f}"
        return [who(one), *_latencies(one, "alone"), *_latencies(one, "opened"), ratio, _goal(run, "open", one)]

    return _table(run, "opened", headings, row)


def short(run: Run) -> str:
    """A short edit behind long ones."""
    rows = []
    for one in run.entrants:
        if one.short is not None:
            alone, behind = one.short
            rows.append([who(one), seconds(alone), seconds(behind), f"{behind / alone:.2f}", _goal(run, "short", one)])
    headings = ("who", "5 steps alone", f"behind {run.plan.longs} edits of 50 steps", "x", "goal")
    return table(headings, rows) if rows else ""


def trials(run: Run) -> str:
    """Which wait policy diffusers was given."""
    told = [
        f"{name}: " + ", ".join(f"{policy} {number(speed)}" for policy, speed in tried.items())
        for name, tried in run.trials.items()
    ]
    words = "Edits a second in a short closed loop by OMP_WAIT_POLICY, of which the better one was taken: "
    return f"{words}{'; '.join(told)}." if told else ""


def _table(run: Run, loop: Loop, headings: Sequence[str], row: Callable[[Measured], list[str]]) -> str:
    rows = [row(one) for one in run.entrants if one.loads(loop)]
    return table(headings, rows) if rows else ""


def _latencies(one: Measured, loop: Loop) -> list[str]:
    return [seconds(one.latency(loop, q)) for q in (50, 95)]


def _goal(run: Run, item: str, one: Measured) -> str:
    return "; ".join(words(goal) for goal in goals(run) if (goal.item, goal.who) == (item, one.name))


def who(one: Measured) -> str:
    """Its name with the dtype, and the wait policy where one was set."""
    policy = "" if one.policy == "default" or one.policy in one.name else f"OMP_WAIT_POLICY={one.policy}"
    dtype = "" if one.dtype in one.name else one.dtype
    return ", ".join(part for part in (one.name, dtype, policy) if part)


def words(goal: Goal) -> str:
    """A goal, and whether it is reached."""
    need = f"at least {goal.least:g}" if goal.least is not None else f"at most {goal.most:g}"
    return f"{need}: {'reached' if goal.reached else 'missed'}"


# ---- ours alone ------------------------------------------------------------------------------------------------------


def overhead(told: Overhead) -> str:
    """What is not the network."""
    edit, inside = median(told.edit), median(told.edit_in_process)
    more = f"{milliseconds(edit - inside)}, {100 * (edit - inside) / inside:.0f} %"
    core = f"{told.connections} connections; asking takes {share(told.client_share)}"
    rows = [
        ("one edit over HTTP, median", seconds(edit)),
        ("the same by `Editor.edit`, without a server or a file", seconds(inside)),
        ("what the server adds", more),
        ("an edit of strength 0 over HTTP: all but the network", milliseconds(median(told.without_network))),
        ("from POST to accepted, nobody else there: p50, p95", both(told.accepted)),
        ("from POST to accepted, under load: p50, p95", both(told.accepted_under_load)),
        ("GET /livez, under load: p50, p95", both(told.livez_under_load)),
        (f"GET /v1/jobs/{{id}}, {core}", f"{median(told.jobs):.0f}/s"),
    ]
    return table(("overpaint alone", ""), rows)


def soaked(told: Soak) -> str:
    """What became of all jobs, and of the server's process."""
    settled, statuses = told.settled, ", ".join(f"{n} x {status}" for status, n in told.statuses.items())
    ended = f"{told.done} done, {told.failed} failed, {told.cancelled} cancelled"
    rows = [
        ("jobs that were accepted", str(told.accepted)),
        ("what became of them", f"{ended}: {'all' if told.adds_up else 'NOT ALL'} ended once"),
        ("jobs that were answered with an id, and lost", f"{told.lost} of {told.acknowledged}"),
        ("killed; seconds until the next server was ready", ", ".join(number(s) for s in told.restarts) or "never"),
        ("requests that a killed server left unanswered", str(told.unanswered)),
        ("answers by status", statuses),
        ("answers that should have been others", "; ".join(map(code, told.unexpected)) or "none"),
    ]
    if settled:
        last = settled[-1]
        rows += [
            (
                "resident memory of the server",
                f"{last.megabytes:.0f} MB, {told.per_minute('megabytes'):+.2f} MB a minute",
            ),
            ("of its workers", f"{last.workers:.0f} MB, {told.per_minute('workers'):+.2f} MB a minute"),
            ("open files", f"{last.files}, {told.per_minute('files'):+.2f} a minute"),
            ("threads", f"{last.threads}, {told.per_minute('threads'):+.2f} a minute"),
        ]
    return table((f"{told.minutes:g} minutes of soak", ""), rows)


def code(text: str) -> str:
    """As code in a table's cell."""
    return "`" + text.replace("|", "/").replace("`", "'") + "`"


# ---- numbers ---------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def seconds(value: float) -> str:
    return f"{number(value)} s"


def milliseconds(value: float) -> str:
    return f"{number(1000 * value)} ms"


def both(values: Sequence[float]) -> str:
    return ", ".join(milliseconds(percentile(values, q)) for q in (50, 95))


def share(value: float) -> str:
    return f"{100 * value:.1f} % of a core"


# ---- a page ----------------------------------------------------------------------------------------------------------


def put(page: str, run: Run) -> str:
    """The page's text with this run in the place for its device, which must be there."""
    start = f"<!-- measured: {run.device} -->\n"
    before, found, rest = page.partition(start)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the page has no place for this run: a line {start.strip()!r}, and below it {END!r}")
    return f"{before}{start}{summary(run)}{END}{after}"
