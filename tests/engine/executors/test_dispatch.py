"""The rules by which groups are given out: every sample ends once, whoever dies, and nobody takes all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.engine.executors.dispatch import Dispatch, Given


class Hand:
    """A worker that keeps to the rules of `ray_worker`: it wants nothing once it was told that nothing more comes."""

    def __init__(self, room: int) -> None:
        self.room, self.samples, self.finishing = room, [], False

    @property
    def wanted(self) -> int:
        return 0 if self.finishing else self.room

    def take(self, given: Given) -> None:
        assert len(given.groups) <= self.wanted
        self.samples += [sample for group in given.groups for sample in group]
        self.finishing = not given.more and bool(self.samples)

    def finish_one(self) -> int:
        sample = self.samples.pop(0)
        self.finishing &= bool(self.samples)
        return sample


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=15),
    events=st.lists(st.tuples(st.sampled_from(["end", "end", "end", "die", "join"]), st.integers(0, 9)), max_size=60),
    poison=st.sets(st.integers(0, 20), max_size=3),
    room=st.integers(1, 5),
    n_sessions=st.integers(1, 8),
)
def test_every_sample_is_done_or_has_failed_once_and_fails_only_after_two_deaths(
    sizes, events, poison, room, n_sessions
):
    samples = iter(range(100))
    groups = [[next(samples) for _ in range(size)] for size in sizes]
    dispatch: Dispatch[Hand] = Dispatch(groups, n_sessions)
    hands: list[Hand] = []
    ended: list[int] = []
    deaths: dict[int, int] = {}

    def join() -> None:
        hands.append(Hand(room))
        dispatch.join(hands[-1])

    def die(hand: Hand) -> None:
        hands.remove(hand)
        for sample in hand.samples:
            deaths[sample] = deaths.get(sample, 0) + 1
        failed = dispatch.lost(hand)
        assert sorted(failed) == sorted(sample for sample in hand.samples if deaths[sample] == 2)
        ended.extend(failed)

    def turn(kind: str, which: int) -> None:
        if kind == "join" or not hands:
            join()
        hand = hands[which % len(hands)]
        hand.take(dispatch.give(hand, hand.wanted))
        if hand.samples and (kind == "die" or hand.samples[0] in poison):
            die(hand)
        elif hand.samples:
            sample = hand.finish_one()
            dispatch.done(hand, sample)
            ended.append(sample)

    for kind, which in events:
        turn(kind, which)
    for which in range(1000):
        if dispatch.finished:
            break
        turn("end", which)
    assert dispatch.finished
    assert dispatch.n_groups == 0
    everything = [sample for group in groups for sample in group]
    assert sorted(ended) == everything


def test_what_killed_a_worker_is_run_alone_and_costs_no_neighbour():
    dispatch: Dispatch[str] = Dispatch([[0, 1], [2], [3]], 3)
    dispatch.join("a")
    assert dispatch.give("a", 5) == Given([[0, 1], [2], [3]], False)
    dispatch.done("a", 0)
    assert dispatch.lost("a") == []
    dispatch.join("b")
    assert dispatch.give("b", 5) == Given([[1]], False)
    assert dispatch.give("b", 5) == Given([], False), "not while that one is not done"
    assert dispatch.lost("b") == [1]
    dispatch.join("c")
    for sample in (2, 3):
        assert dispatch.give("c", 5) == Given([[sample]], False)
        dispatch.done("c", sample)
        assert dispatch.give("c", 0) == Given([], False), "not before it says that it waits"
    assert dispatch.finished


@pytest.mark.parametrize(("n_sessions", "most"), [(2, 3), (4, 4), (64, 5)])
def test_nobody_takes_more_than_half_a_share_or_what_fills_a_batch_within_a_share(n_sessions, most):
    dispatch: Dispatch[str] = Dispatch([[n] for n in range(10)], n_sessions)
    for worker in "ab":
        dispatch.join(worker)
    assert dispatch.give("a", 100) == Given([[n] for n in range(most)], False)
    assert dispatch.give("b", 2) == Given([[most], [most + 1]], True)


def test_a_trace_of_a_sample_that_the_worker_did_not_have_is_an_error():
    dispatch: Dispatch[str] = Dispatch([[0]])
    dispatch.join("a")
    with pytest.raises(KeyError):
        dispatch.done("a", 0)
