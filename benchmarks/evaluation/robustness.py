"""What an agent bears: its score by other rules than those of its training, sampled and greedy.

Without sticky actions and with no-ops; then one change at a time: sticky actions, random first steps, other frame
skips, a mirrored screen, and what Stable-Baselines3's environment does otherwise; then that environment itself, in a
virtual environment that this program makes. What is done is kept, so that the program can be stopped and called again.
"""

from pathlib import Path
from typing import Any

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import add_draw_option, command_line, make_parser
from benchmarks.common.runs import read_result, write_result
from benchmarks.common.sb3_venv import SB3, add_venv_option, make_sb3_python
from benchmarks.common.trainings import play_games
from benchmarks.evaluation.other_rules import OTHER_RULES
from benchmarks.evaluation.sb3_harness import MODEL, describe, sb3_scores
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.saving.agent import load_agent

POLICIES = ("sampled", "greedy")
THEIRS = "Stable-Baselines3's environment"
FACTS = ("mean", "standard_error", "truncated_games", "scores")


def table(result: dict[str, Any]) -> str:
    """Return the mean scores by all rules, as Markdown."""
    lines = ["| rules | " + " | ".join(POLICIES) + " |", "|---|---|---|"]
    for rules in (*OTHER_RULES, THEIRS):
        cells = [cell(result["found"].get(f"{rules}, {policy}")) for policy in POLICIES]
        lines.append(f"| {rules} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(facts: dict[str, Any] | None) -> str:
    """Return a mean with its standard error, where it has one."""
    if facts is None:
        return "-"
    error, truncated = facts["standard_error"], facts.get("truncated_games")
    spread = f" ± {error:.1f}" if error is not None else ""
    return f"{facts['mean']:.1f}{spread}" + (f", {truncated} truncated" if truncated else "")


def main() -> None:
    """Play what is not done yet, and print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="[models/breakout.safetensors]")
    parser.add_argument("--episodes", type=int, default=100, help="full games by each rules [%(default)s]")
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=POLICIES)
    add_venv_option(parser)
    parser.add_argument("--output", type=Path, help="[evaluation/MODEL/robustness.json of the current results]")
    add_draw_option(parser)
    options = parser.parse_args()
    output = options.output or RESULTS / "evaluation" / options.model.stem / "robustness.json"
    result: dict[str, Any] = {
        "command": command_line(), "model": options.model.name, "sb3": SB3, "machine": describe_machine(),
        "episodes": options.episodes, "found": {},
    }  # fmt: skip
    if output.exists():
        result = read_result(output)
    if not options.draw:
        play_all(options.model, options.policies, options.venv, result, output)
    print(table(result))


def play_all(model: Path, policies: list[str], venv: Path, result: dict[str, Any], output: Path) -> None:
    """Play by all rules that are not in the result yet."""
    context, agent, found = benchmark_context(), load_agent(model), result["found"]
    for policy in policies:
        protocol = Protocol(result["episodes"], seed=4, greedy=policy == "greedy")
        for rules in (*OTHER_RULES, THEIRS):
            name = f"{rules}, {policy}"
            if name not in found:
                if rules == THEIRS:
                    found[name] = describe(sb3_scores(make_sb3_python(venv), model, protocol.episodes, policy))
                    if protocol.greedy:
                        found[name]["standard_error"] = None  # the games repeat
                else:
                    facts = play_games(context, agent, protocol, OTHER_RULES[rules])
                    found[name] = {fact: facts[fact] for fact in FACTS}
                write_result(result, output)
                print(f"{name}: {found[name]['mean']:.1f}", flush=True)


if __name__ == "__main__":
    main()
