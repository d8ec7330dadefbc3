"""Who is next: against the promises that `fair` makes, for any arrivals."""

from hypothesis import given
from hypothesis import strategies as st

from overpaint.server.fair import Fair


def test_short_ones_first_among_an_owners_own() -> None:
    fair = Fair()
    for id, work in (("long", 50), ("short", 5), ("middle", 20)):
        fair.add(id, "alice", work)
    assert fair.order() == ["short", "middle", "long"]
    assert [fair.next() for _ in range(4)] == ["short", "middle", "long", None]


def test_a_long_one_is_not_starved() -> None:
    """It has waited for as much as it takes itself: what comes later comes after it."""
    fair = Fair()
    fair.add("long", "alice", 50)
    begun = []
    for i in range(20):  # there is always another short one
        fair.add(f"short{i}", "alice", 10)
        begun.append(fair.next())
    assert begun.index("long") == 4


def test_five_hundred_jobs_of_one_do_not_delay_anothers_one() -> None:
    fair = Fair()
    for i in range(500):
        fair.add(f"a{i}", "alice", 10)
    assert [fair.next() for _ in range(3)] == ["a0", "a1", "a2"]
    fair.add("b", "bob", 1000)
    assert fair.next() == "b"
    assert fair.next() == "a3"


def test_who_may_not_have_more_is_passed_over() -> None:
    fair = Fair()
    fair.add("a", "alice", 1)
    fair.add("b", "bob", 5)
    assert fair.next(lambda owner: owner != "alice") == "b"
    assert fair.next(lambda owner: owner != "alice") is None
    assert "a" in fair
    fair.discard("a")
    fair.discard("a")
    assert "a" not in fair
    assert len(fair) == 0


def test_having_waited_with_nothing_to_do_is_no_credit() -> None:
    """Bob comes after alice alone was served for long: from then on they take turns."""
    fair = Fair()
    for i in range(20):
        fair.add(f"a{i}", "alice", 10)
    for _ in range(10):
        fair.next()
    for i in range(10):
        fair.add(f"b{i}", "bob", 10)
    taken = [(fair.next() or "")[0] for _ in range(10)]
    assert abs(taken.count("a") - taken.count("b")) <= 1


ARRIVALS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 100)), min_size=1, max_size=60)


@given(ARRIVALS)
def test_owners_who_wait_all_the_time_get_equal_shares(arrivals: list[tuple[str, int]]) -> None:
    """While two owners both have jobs waiting, what they are given differs by no more than a job of each."""
    fair, works = Fair(), {}
    for i, (owner, work) in enumerate(arrivals):
        fair.add(str(i), owner, work)
        works[str(i)] = owner, work
    order = fair.order()
    largest = max(work for _, work in arrivals)
    given = dict.fromkeys("abc", 0)
    left = {o: sum(owner == o for owner, _ in arrivals) for o in "abc"}
    taken = []
    while (id := fair.next()) is not None:
        taken.append(id)
        owner, work = works[id]
        given[owner] += work
        left[owner] -= 1
        waiting = [given[o] for o in "abc" if left[o]]
        assert not waiting or max(waiting) - min(waiting) <= largest
    assert taken == order  # as it was foretold
    assert sorted(taken, key=int) == [str(i) for i in range(len(arrivals))]


@given(st.lists(st.integers(1, 30), min_size=300, max_size=300), st.integers(1, 200))
def test_how_long_a_job_waits_at_most(others: list[int], work: int) -> None:
    """While others come as fast as they are served: until these were given as much as the job takes itself."""
    fair, given = Fair(), 0
    fair.add("mine", "alice", work)
    for i, other in enumerate(others):
        fair.add(str(i), "alice", other)
        if (id := fair.next()) == "mine":
            break
        given += others[int(id or "")]
    assert "mine" not in fair
    assert given < work + max(others)
