"""No game of an evaluation is one of a training, and each has a seed of its own."""

import numpy as np

from breakout_a3c.config import PROTOCOL_SEEDS
from breakout_a3c.games.seeds import action_generator, evaluation_seeds, training_seeds


def test_training_seeds_are_even_and_distinct() -> None:
    seeds = [
        seed
        for run in (1, 2)
        for learner_id in range(8)
        for seed in training_seeds(np.random.SeedSequence(run, spawn_key=(learner_id, 0)), 65)
    ]
    assert all(seed % 2 == 0 and 0 <= seed < 2**31 for seed in seeds)
    assert len(set(seeds)) == len(seeds) == 2 * 8 * 65


def test_training_seeds_are_reproducible() -> None:
    assert training_seeds(np.random.SeedSequence(1), 9) == training_seeds(np.random.SeedSequence(1), 9)


def test_the_seeds_of_evaluations_are_odd_and_distinct() -> None:
    first, second = evaluation_seeds(0, 10_000), evaluation_seeds(1, 10_000)
    assert (first[:3], second[0]) == ([1, 3, 5], 20_001)
    assert len({*first, *second}) == 20_000
    assert all(seed % 2 for seed in (*first, *second))
    assert max(evaluation_seeds(PROTOCOL_SEEDS, 10_000)) < 2**31, "the emulator's seeds have 31 bits"


def test_actions_have_random_numbers_of_their_own() -> None:
    drawn = action_generator(7).random(5)
    assert np.array_equal(action_generator(7).random(5), drawn)
    assert not np.array_equal(action_generator(8).random(5), drawn)
    assert not np.array_equal(np.random.default_rng(7).random(5), drawn), "the game itself is seeded with 7"
