"""The README's tables, each with a sentence on what it was measured on."""

from typing import Any

from benchmarks.learning.crossings import drift_warnings, table
from benchmarks.results_tables.literature import (
    DOPAMINE,
    PUBLISHED_AT_AS_MANY_FRAMES,
    PUBLISHED_MODEL,
    PUBLISHED_SCORES,
)
from benchmarks.results_tables.measured import Measured
from benchmarks.speed.sb3_training import NETWORKS

NONE = "-"
USUAL_MACHINES = ("2 cores", "16 cores", "16 cores and a GPU")
SPEED_ROWS = {  # of the throughput's rows those that the README shows
    "bare emulator": "bare emulator",
    "our environment": "our environment, without a learner",
    "breakout, 8 actor-learners": "default training, 8 actor-learners",
    "paper, 8 actor-learners": "the paper's settings, 8 actor-learners",
}


def how_soon(measured: Measured) -> str:
    """Return how many minutes the default training takes to a score."""
    seeds = measured.seeds
    speeds = [speed for seed in seeds for speed in seed["emulator_steps_per_second"]]
    told = (
        "The default training. The time is that of the first snapshot, one a minute, whose mean over 100 fresh games "
        "reached the score.\n"
        f"Measured on {places(seeds)}; the bare emulator did {min(speeds):,} to {max(speeds):,} agent steps/s there, "
        "before and after each run."
    )
    return "\n\n".join(["### How soon", table(seeds, measured.intervals), *drift_warnings(seeds), told])


def how_well(measured: Measured) -> str:
    """Return what our agents score, beside what is published."""
    sampled, sticky = measured.published("sampled"), measured.published("sampled-sticky")
    sb3 = measured.sb3_evaluation["found"]["SB3's evaluate_policy"]
    lines = [
        "### How well",
        "",
        "| agent | mean score | with sticky actions 0.25 | trained |",
        "|---|---|---|---|",
        f"| **[published model](models/breakout.md)** | **{score(sampled)}** | {score(sticky)} | {PUBLISHED_MODEL} |",
        default_training_row(measured),
        *(f"| {row.agent} | {row.mean} | {NONE} | {row.trained} |" for row in PUBLISHED_SCORES),
        "",
        "Ours: the means of 100 fresh games each, sampled, with their standard errors. None was trained with sticky "
        "actions.",
        f"Of the published model's games {sampled['truncated_games']} were truncated after 108,000 frames; "
        f"Stable-Baselines3's evaluation of it finds {sb3['mean']:.1f} ± {sb3['standard_error']:.1f}.",
        "The others: from no-op starts, by their authors' own protocols. The A3C paper's scores are from human starts, "
        "which are not public.",
    ]
    return "\n".join(lines)


def default_training_row(measured: Measured) -> str:
    """Return the row of the default training, a score a seed."""
    numbers = [seed["seed"] for seed in measured.seeds]
    plain = [score(measured.end_of_seed(number)) for number in numbers]
    sticky = [score(measured.end_of_seed(number, "-sampled-sticky")) for number in numbers]
    ends = [end for number in numbers if (end := measured.end_of_seed(number))]
    steps = max(end["steps"] for end in ends) / 1e6
    minutes = max(measured.minutes_of_seed(number) for number in numbers)
    cores = measured.seeds[0]["machine"]["cores"]
    truncated = ", ".join(str(end["truncated_games"]) for end in ends)
    return (
        f"| default training, seeds {', '.join(map(str, numbers))} | {', '.join(plain)} | {', '.join(sticky)} "
        f"| {steps:.1f} million agent steps, {minutes:.0f} minutes on {cores} cores; {truncated} games truncated |"
    )


def other_games(measured: Measured) -> str:
    """Return what other games reach by their default settings, beside random play and what is published."""
    results = measured.other_games
    agents = list(next(iter(PUBLISHED_AT_AS_MANY_FRAMES.values())))
    lines = [
        "| game | agent steps | random play | ours | with as many frames: " + " | ".join(agents) + " |",
        "|---" * (len(agents) + 4) + "|",
    ]
    for result in results:
        published = PUBLISHED_AT_AS_MANY_FRAMES[result["game"]]
        steps = f"{result['training']['steps'] / 1e6:.1f} million"
        ours = (score(result["random"]), f"**{score(result['evaluation'])}**")
        lines.append("| " + " | ".join([result["game"], steps, *ours, *(published[agent] for agent in agents)]) + " |")
    return "\n".join(
        [
            *lines,
            "",
            "Ours: `python train.py --game GAME`, one seed each; the means of 100 fresh games with their standard "
            f"errors, without sticky actions. Measured on {places(results)}.",
            "The others: the games of their training, with sticky actions, in the mean of five runs "
            f"([Dopamine]({DOPAMINE})).",
        ]
    )


def how_fast(measured: Measured) -> str:
    """Return the speed beside the bare emulator, beside Stable-Baselines3, and on machines with more cores."""
    throughput, sb3 = measured.throughput, measured.sb3_training
    lines = [
        "### How fast",
        "",
        "| | agent steps/s | frames/s | of the bare emulator | memory, MB |",
        "|---|---|---|---|---|",
        *(speed_row(row) for row in throughput["rows"] if row["name"] in SPEED_ROWS),
        "",
        f"In turn, on {place(throughput['machine'])}.",
        "",
        f"| network | A2C of {sb3['sb3'].replace('==', ' ')}, agent steps/s | ours, agent steps/s | ours is |",
        "|---|---|---|---|",
        *(
            f"| {network} | {row['peer']['steps_per_second']:,} | {row['ours']['steps_per_second']:,} "
            f"| {row['times_as_fast']:.1f} times as fast |"
            for network, row in zip(NETWORKS, sb3["rows"], strict=True)
        ),
        "",
        f"In turn, on {place(sb3['machine'])}. Theirs has 8 environments, ours 8 actor-learners x 16 games.",
        *large_machines(measured),
    ]
    return "\n".join(lines)


def speed_row(row: dict[str, Any]) -> str:
    """Return a row of the speed beside the bare emulator."""
    return (
        f"| {SPEED_ROWS[row['name']]} | {row['steps_per_second']:,} | {row['frames_per_second']:,} "
        f"| {row['share_of_reference']:.0%} | {row['memory_mb']:,} |"
    )


def large_machines(measured: Measured) -> list[str]:
    """Return the lines of the table by machine; those that were not measured say so."""
    results = [result for result in measured.large_machines if result["training"]]
    rows = {machine_name(result): machine_row(result) for result in results}
    rows = dict.fromkeys(USUAL_MACHINES, "not yet | | | |") | rows
    return [
        "",
        "| machine | bare emulator, agent steps/s | training, agent steps/s | of the bare emulator | to 400 points |",
        "|---|---|---|---|---|",
        *(f"| {name} | {row}" for name, row in rows.items()),
        "",
        f"The default training, by `make large-machine` and `make large-machine DEVICE=cuda`"
        f"{f', on {places(results)}' if results else ''}.",
    ]


def machine_name(result: dict[str, Any]) -> str:
    """Return what a machine has, in words."""
    return f"{result['cores']} cores{' and a GPU' if result['device'] == 'cuda' else ''}"


def machine_row(result: dict[str, Any]) -> str:
    """Return what a machine brought, as the cells of a row."""
    training = result["training"]
    return (
        f"{result['bare_emulator_steps_per_second']:,} | {training['steps_per_second']:,} "
        f"| {training['fraction_of_bare_emulator']:.0%} | {minutes_to(result, 400)} |"
    )


def minutes_to(result: dict[str, Any], target: int) -> str:
    """Return the minutes of a large machine to a score, as far as they are known."""
    known = (result["minutes_to"] or {}).get(str(target)) or {}
    if known.get("minutes") is not None:
        return f"{known['minutes']:.1f} min"
    if known.get("reached_by") is not None:
        return f"at most {known['reached_by']:.1f} min"
    if known.get("not_by") is not None:
        return f"not within {known['not_by']:.1f} min"
    return NONE


def score(evaluation: dict[str, Any] | None) -> str:
    """Return a mean and its standard error as a cell of a table."""
    if not evaluation:
        return NONE
    mean, error = f"{evaluation['mean']:,.1f}", evaluation["standard_error"]
    return mean if error is None else f"{mean} ± {error:,.1f}"


def place(machine: dict[str, Any]) -> str:
    """Return where and when something was measured."""
    bf16 = "bf16" if machine["bf16"] else "no bf16"
    return (
        f"{machine['cores']} cores ({machine['processor']}, {bf16}), {machine['date']}, commit {short_commit(machine)}"
    )


def places(results: list[dict[str, Any]]) -> str:
    """Return where and when several results were measured, each place once."""
    return "; ".join(dict.fromkeys(place(result["machine"]) for result in results))


def short_commit(machine: dict[str, Any]) -> str:
    """Return the first seven digits of a commit, and whether it was changed."""
    commit, *changed = str(machine["commit"]).split("-")
    return "-".join([commit[:7], *changed])
