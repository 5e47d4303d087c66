"""This program and others that learn Breakout, one after another on the same cores, each until it has 100 points.

Each rival runs in a virtual environment that this program makes, from its package or from its source at a fixed commit,
with its authors' settings. It is stopped when its own score has reached 100, or when the time is over: by default five
times the minutes that the default training took to 400 points (``time_to_score``). Then 30 fresh games of each of its
snapshots are played by our protocol; where a rival's network is not one of ours, its own score is taken, and marked.
Minutes count from the start of its program. What is done is kept, so that the program can be stopped and called again.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common.drawing import chart
from benchmarks.common.emulators import emulator_speed
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import read_result, write_result
from benchmarks.common.trainings import play_games
from benchmarks.learning import time_to_score
from benchmarks.learning.crossings import median_minutes
from benchmarks.rivals.entries import RIVALS
from benchmarks.rivals.models import agent_of
from benchmarks.rivals.rival import Rival
from benchmarks.rivals.running import end, start, watch
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import Agent, load_agent

OUTPUT = RESULTS / "race"
TARGET = 100.0
TIMES_OURS = 5.0
PROTOCOL = Protocol(episodes=30, seed=3900)
OURS = Rival(
    key="ours",
    name="this program",
    home="",
    settings="the default: train.py --threads 8",
    needs=(),
    arguments=("train.py", "--threads", "8", "--run", "race", "--checkpoint-minutes", "0.3333", "--keep-checkpoints",
               "10000", "--eval-minutes", "0", "--checkpoints", "FOLDER/checkpoints", "--runs", "FOLDER/runs"),
    game_score=r" score (-?[\d.]+) \(",
    score_games=1,
    score_kind="its last 100 training games, as it tells their mean",
)  # fmt: skip


def snapshots_of(rival: Rival, folder: Path) -> list[tuple[Path, Callable[[Path], Agent]]]:
    """Return the snapshots that can play by our protocol, oldest first, and how each is loaded."""
    if rival is OURS:
        return [(path, load_agent) for path in sorted((folder / "checkpoints" / "race").glob("step_*.pt"))]
    paths = sorted((folder / "snapshots").glob("*.pt"), key=lambda path: int(path.stem)) if rival.layers else []
    return [(path, lambda path: agent_of(path, rival.layers)) for path in paths]


def evaluate(context: Context, rival: Rival, folder: Path, began: float) -> list[dict[str, float]]:
    """Return the minutes and scores of a rival's snapshots, up to the first that has reached the target."""
    found: list[dict[str, float]] = []
    for path, load in snapshots_of(rival, folder):
        facts = play_games(context, load(path), PROTOCOL)
        minutes = round((path.stat().st_mtime - began) / 60, 2)
        found.append({"minutes": minutes} | {key: facts[key] for key in ("mean", "standard_error")})
        print(f"{rival.name}, {minutes:.1f} minutes: {facts['mean']:.1f}", flush=True)
        if facts["mean"] >= TARGET:
            break
    return found


def race(context: Context, rival: Rival, sources: Path, minutes: float, output: Path) -> None:
    """Run one of the programs, unless that is done, and keep what came of it."""
    file, folder = output / f"{rival.key}.json", WORK / "race" / rival.key
    if file.exists():
        return
    process = start(rival, sources, folder)
    try:
        run = watch(process, rival, TARGET, 60 * minutes, folder / "output.log")
    finally:
        end(process)
    told = {key: value for key, value in asdict(rival).items() if key not in ("game_score", "layers", "environment")}
    told["changes"] = [{"file": change.file, "why": change.why} for change in rival.changes]
    result = told | {
        "machine": describe_machine(),
        "emulator_steps_per_second": round(emulator_speed(context)),
        "minutes": round(run.seconds / 60, 2),
        "ended": run.ended,
        "own_scores": run.points,
        "snapshots": evaluate(context, rival, folder, run.began),
    }
    write_result(result, file)


def curve_of(result: dict[str, Any]) -> list[tuple[float, float]]:
    """Return minutes and scores: by our protocol where that can be, otherwise its own."""
    if result["snapshots"]:
        return [(each["minutes"], each["mean"]) for each in result["snapshots"]]
    return [(minutes, score) for minutes, score in result["own_scores"]]


def minutes_to_target(result: dict[str, Any]) -> float | None:
    """Return when a program had the target's score, None if it never had."""
    return next((minutes for minutes, score in curve_of(result) if score >= TARGET), None)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return when each program had 100 points, or what it had when its time was over, as Markdown."""
    lines = ["| program | settings | 100 points after | highest score, of |", "|---|---|---|---|"]
    for result in results:
        reached, curve = minutes_to_target(result), curve_of(result)
        when = f"{reached:.1f} min" if reached else f"not within {result['minutes']:.0f} min ({result['ended']})"
        kind = "30 fresh games a snapshot" if result["snapshots"] else result["score_kind"]
        highest = f"{max(score for _, score in curve):.0f}" if curve else "-"
        name = f"[{result['name']}]({result['home']})" if result["home"] else f"**{result['name']}**"
        lines.append(f"| {name} | {result['settings']} | {when} | {highest}, {kind} |")
    return "\n".join(lines)


def ratio(results: Sequence[dict[str, Any]]) -> str:
    """Return how many times as long as this program the fastest rival takes to 100 points."""
    own = next((minutes_to_target(result) for result in results if result["key"] == OURS.key), None)
    rivals = [result for result in results if result["key"] != OURS.key]
    reached = [minutes for result in rivals if (minutes := minutes_to_target(result)) is not None]
    whole = [result["minutes"] for result in rivals if result["ended"] == "time"]  # of those that did not fail
    if own is None or not (reached or whole):
        return "no ratio: this program or every rival is missing"
    return f"{min(reached) / own:.1f}" if reached else f"more than {min(whole) / own:.1f}"


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw score against minutes, a line a program; dashed where the score is its own."""
    with chart(path, "minutes on the same two cores", size=(8, 4)) as axis:
        for result in results:
            if curve := curve_of(result):
                style = "-" if result["snapshots"] else "--"
                axis.plot(*zip(*curve, strict=True), style, label=result["name"], linewidth=1.5)
        axis.axhline(TARGET, color="0.7", linewidth=0.8)
        axis.set_ylabel("score of 30 fresh games\n(dashed: its own games)")
        axis.legend(frameon=False)


def default_minutes() -> float | None:
    """Return five times the minutes that the default training took to 400 points, as far as that is measured."""
    files = sorted(time_to_score.OUTPUT.glob("seed-[0-9].json"))
    ours = median_minutes([read_result(file) for file in files], 400) if files else None
    return TIMES_OURS * ours if ours else None


def main() -> None:
    """Run each program that is not done yet, print the table and draw the curves."""
    entrants = {rival.key: rival for rival in (OURS, *RIVALS)}
    parser = make_parser(__doc__)
    parser.add_argument(
        "programs", nargs="*", metavar="NAME", choices=[[], *entrants], help="[all] " + ", ".join(entrants)
    )
    parser.add_argument("--sources", type=Path, help="folder of git clones: " + ", ".join(sorted(clones())))
    parser.add_argument(
        "--minutes", type=float, default=default_minutes(), help="of each program, at most [%(default)s]"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options = parser.parse_args()
    names = options.programs or list(entrants)
    if not options.draw:
        if options.minutes is None:
            parser.error("time_to_score has not measured the minutes to 400 points: give --minutes")
        if options.sources is None and any(entrants[name].repository for name in names):
            parser.error("give --sources, the folder that holds " + ", ".join(sorted(clones())))
        context = benchmark_context()
        for name in names:
            race(context, entrants[name], options.sources, options.minutes, options.output)
    results = [read_result(file) for name in entrants if (file := options.output / f"{name}.json").exists()]
    print("", table(results), "", f"The fastest rival's minutes over ours: {ratio(results)}", sep="\n")
    draw(results, options.output / "race.png")


def clones() -> set[str]:
    """Return the clones that the race takes, as git clones them."""
    return {f"{rival.home} ({rival.repository})" for rival in RIVALS if rival.repository}


if __name__ == "__main__":
    main()
