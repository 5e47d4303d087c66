"""The exchange between machines, by arithmetic: nothing is counted twice or lost."""

import random
from itertools import count

import numpy as np
import pytest
import torch

from breakout_a3c.cluster.exchange import Counts, Difference, GlobalState, GroupExchange
from breakout_a3c.cluster.parameter_server import OFFER_SECONDS, SILENT_SECONDS, GroupNews, ParameterServer

SIZE = 5
# Whole numbers, so that float32 adds them exactly in any order.
START = np.arange(SIZE, dtype=np.float32)


class Group:
    """A group whose learning is the addition of whole numbers."""

    def __init__(self, name: str, seen: GlobalState) -> None:
        self.name = name
        self.parameters = torch.from_numpy(seen.parameters.copy())
        self.exchange = GroupExchange(name, self.parameters, seen)
        self.learned = np.zeros(SIZE, np.float32)
        self.done = Counts()

    def learn(self, chance: random.Random) -> None:
        step = np.array([chance.randint(-9, 9) for _ in range(SIZE)], np.float32)
        self.learned += step
        self.parameters += torch.from_numpy(step)
        self.done = self.done.plus(Counts(20, 1, chance.randint(0, 1)))

    def difference(self) -> Difference:
        return self.exchange.difference(self.done)


def news(group: str) -> GroupNews:
    return GroupNews(group, [], Counts(), 0.0, 1, 0, "", 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_two_groups_come_to_the_start_and_both_differences(seed: int) -> None:
    """Of 50 interleavings each: messages and answers are lost, come late, come twice."""
    chance = random.Random(seed)
    for _ in range(50):
        state = GlobalState(START)
        groups = [Group("a", state), Group("b", state)]
        for _ in range(chance.randint(1, 30)):
            group = chance.choice(groups)
            group.learn(chance)
            if chance.random() < 0.6:
                difference = group.difference()
                if chance.random() < 0.3:
                    continue  # the message is lost
                state = state.with_difference(difference)
                for _ in range(chance.randint(0, 2)):
                    group.learn(chance)  # while the answer is on its way
                if chance.random() < 0.3:
                    continue  # the answer is lost
                assert group.exchange.take(state)
                assert not group.exchange.take(state), "an answer counts once"
        for group in groups:
            for _ in range(2):  # what waits for an answer, and what was learned since
                state = state.with_difference(group.difference())
                group.exchange.take(state)
        np.testing.assert_array_equal(state.parameters, START + groups[0].learned + groups[1].learned)
        assert state.counts == groups[0].done.plus(groups[1].done)
        np.testing.assert_array_equal(groups[-1].parameters.numpy(), state.parameters)


def test_a_group_that_dies_costs_its_last_difference() -> None:
    chance = random.Random(1)
    state = GlobalState(START)
    dead, alive = Group("a", state), Group("b", state)
    dead.learn(chance)
    state = state.with_difference(dead.difference())
    dead.exchange.take(state)
    sent = dead.learned.copy()
    dead.learn(chance)  # and dies
    born_again = Group("a2", state)
    np.testing.assert_array_equal(born_again.parameters.numpy(), START + sent)
    for group in (alive, born_again):
        group.learn(chance)
        state = state.with_difference(group.difference())
        assert group.exchange.take(state)
    np.testing.assert_array_equal(state.parameters, START + sent + alive.learned + born_again.learned)


def test_what_others_did_is_counted_elsewhere() -> None:
    state = GlobalState(START, Counts(1000, 10, 5))
    groups = [Group("a", state), Group("b", state)]
    for group in groups:
        group.learn(random.Random(1))
        state = state.with_difference(group.difference())
        group.exchange.take(state)
    assert groups[1].exchange.elsewhere() == groups[0].done.plus(Counts(1000, 10, 5))


@pytest.mark.parametrize("seed", range(50))
def test_a_server_that_starts_again_has_all_that_it_answered(seed: int) -> None:
    chance, clock = random.Random(seed), count()
    server = ParameterServer(clock=lambda: next(clock) * 0.1)
    first = GlobalState(START)
    server.begin(first)
    groups = [Group(name, first) for name in "ab"]
    for _ in range(40):
        if chance.random() < 0.1:  # it dies; what was under way is lost
            server = ParameterServer(clock=lambda: next(clock) * 0.1)
        group = chance.choice(groups)
        group.learn(chance)
        answer = server.exchange(group.difference(), news(group.name))
        if answer.state is None:
            for each in groups:
                server.offer(each.exchange.seen)
        elif chance.random() < 0.8:
            group.exchange.take(answer.state)
    for _ in range(int(OFFER_SECONDS / 0.1) + 2):
        for group in groups:
            answer = server.exchange(group.difference(), news(group.name))
            if answer.state is None:
                server.offer(group.exchange.seen)
            else:
                group.exchange.take(answer.state)
    state = server.collect(stopped=False).state
    assert state is not None
    np.testing.assert_array_equal(state.parameters, START + sum(group.learned for group in groups))
    assert state.counts == Counts(*map(sum, zip(*(group.done for group in groups), strict=True)))


def test_of_more_than_two_groups_each_difference_counts_for_less() -> None:
    now = [0.0]
    server = ParameterServer(clock=lambda: now[0])
    server.begin(GlobalState(START))
    step = np.full(SIZE, 8, np.float32)
    numbers = dict.fromkeys("abcd", 0)

    def send(group: str) -> float:
        before = server.collect(stopped=False).state
        numbers[group] += 1
        after = server.exchange(Difference(group, numbers[group], step, Counts()), news(group)).state
        assert before
        assert after
        return float((after.parameters - before.parameters)[0])

    assert [send(group) for group in "aabbcd"] == pytest.approx([8, 8, 8, 8, 16 / 3, 4])
    now[0] = SILENT_SECONDS
    assert send("a") == 8, "the others are gone"


def test_a_group_has_what_counted_of_its_difference() -> None:
    group = Group("a", GlobalState(START))
    group.parameters += 6
    state = GlobalState(START).with_difference(group.difference(), weight=0.5)
    group.parameters += 1  # meanwhile
    assert group.exchange.take(state)
    np.testing.assert_array_equal(group.parameters.numpy(), START + 4)


def test_the_newest_state_that_is_offered_wins() -> None:
    now = [0.0]
    server = ParameterServer(clock=lambda: now[0])
    server.offer(GlobalState(START, version=3))
    server.offer(GlobalState(START + 1, version=7))
    server.offer(GlobalState(START + 2, version=5))
    assert server.collect(stopped=False).state is None, "it waits for all"
    now[0] = OFFER_SECONDS
    state = server.collect(stopped=False).state
    assert state is not None
    assert state.version == 7
    server.offer(GlobalState(START + 3, version=9))
    assert server.collect(stopped=False).state is state, "one that holds a state takes no other"


def test_the_driver_gets_each_news_once_and_groups_hear_that_it_is_over() -> None:
    server = ParameterServer()
    server.begin(GlobalState(START))
    group = Group("a", GlobalState(START))
    assert not server.exchange(group.difference(), news("a")).stopped
    assert [each.group for each in server.collect(stopped=True).news] == ["a"]
    assert server.collect(stopped=True).news == []
    server.exchange(group.difference(), news("a"))  # once more, as its answer was lost
    assert server.collect(stopped=True).news == []
    assert server.exchange(group.difference(), news("a")).stopped
