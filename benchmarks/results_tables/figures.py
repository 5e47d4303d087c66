"""Single figures, for cells of hand-written tables."""

from typing import Any

from benchmarks.learning.crossings import TARGETS, median_minutes
from benchmarks.results_tables.measured import Measured
from benchmarks.results_tables.tables import machine_name, minutes_to, score, short_commit

NOT_REACHED = "not reached"


def throughput(measured: Measured) -> str:
    """Return how close training comes to the bare emulator."""
    bare, ours = measured.throughput["rows"][0], measured.default_row()
    return (
        f"{ours['steps_per_second']:,} of {bare['steps_per_second']:,} agent steps/s: "
        f"{ours['share_of_reference']:.0%}, 8 actor-learners on {measured.throughput['machine']['cores']} cores"
    )


def sb3_training(measured: Measured) -> str:
    """Return how fast training is beside Stable-Baselines3's A2C."""
    paper, nature = measured.sb3_training["rows"]
    return f"{paper['times_as_fast']:.1f} times as fast (`paper`), {nature['times_as_fast']:.1f} times (`nature`)"


def how_soon(measured: Measured) -> str:
    """Return the medians of the minutes to each score."""
    medians = (median_minutes(measured.seeds, target) for target in TARGETS)
    texts = [NOT_REACHED if median is None else f"{median:.0f}" for median in medians]
    return f"{in_words(texts)} minutes, medians of {len(measured.seeds)} seeds"


def end_scores(measured: Measured) -> str:
    """Return what the default training scores at its end, a score a seed."""
    numbers = [seed["seed"] for seed in measured.seeds]
    scores = [score(end) for number in numbers if (end := measured.end_of_seed(number))]
    minutes = max(measured.minutes_of_seed(number) for number in numbers)
    return f"{in_words(scores)} after {minutes:.0f} minutes"


def published_model(measured: Measured) -> str:
    """Return what the published model scores."""
    first, second, sticky = (measured.published(f"sampled{policy}") for policy in ("", "-seed-2", "-sticky"))
    return (
        f"{score(first)} and {score(second)} over two sets of {first['episodes']} games; "
        f"{score(sticky)} with sticky actions"
    )


def sb3_evaluation(measured: Measured) -> str:
    """Return whether Stable-Baselines3's evaluation agrees with ours."""
    theirs, ours = measured.sb3_evaluation["found"].values()
    agree = abs(theirs["mean"] - ours["mean"]) <= measured.sb3_evaluation["allowed"]
    return f"{'yes' if agree else 'no'}: {score(theirs)} against {score(ours)}"


def large_machine(measured: Measured) -> str:
    """Return what the machine with the most cores brought."""
    results = [result for result in measured.large_machines if result["training"]]
    if not results:
        return "not measured by this program yet"
    result, training = results[-1], results[-1]["training"]
    return (
        f"{training['steps_per_second']:,} of {result['bare_emulator_steps_per_second']:,} agent steps/s on "
        f"{machine_name(result)}: {training['fraction_of_bare_emulator']:.0%}; 400 points: {minutes_to(result, 400)}"
    )


def source(result: dict[str, Any]) -> str:
    """Return date and commit of a result, as two cells."""
    return f"{result['machine']['date']} | {short_commit(result['machine'])}"


def in_words(parts: list[str]) -> str:
    """Return parts as a sentence lists them."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
