"""How many pictures a second the window shows, at normal speed and as fast as it can; it needs a display.

With ``--beside TREE`` another checkout's window is measured in turn with this one's, by this same program.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import MODELS, RESULTS, from_root
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.show import show_game
from breakout_a3c.playing.window import Window
from breakout_a3c.saving.agent import build_agent, load_weights

MODEL = MODELS / "breakout.safetensors"
OUTPUT = RESULTS / "window" / "window.json"
WARM_UP = 120  # pictures
UNPACED = 10_000  # pictures a second, which no machine draws
VIEWS = {  # what is switched on, and how many pictures a second are due; None: the game's own
    "plain": (False, None),
    "saliency and frames": (True, None),
    "saliency and frames, as fast as it can": (True, UNPACED),
}


def measure(window: Window, controls: Controls, model: Path, pictures: int, due: int | None) -> dict[str, float]:
    """Show the beginning of a game; return pictures a second, and how many cores it took."""
    agent = build_agent(load_weights(model), model, torch.float32)  # as on a CPU without bf16
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls)

    def show(count: int) -> None:
        scenes = itertools.islice(player.play(0), count)
        show_game(window, scenes, due or player.frames_per_second, controls, RecordingOnDemand(controls))

    show(WARM_UP)
    began, used = time.monotonic(), time.process_time()
    show(pictures)
    seconds = time.monotonic() - began
    return {
        "frames_per_second": round(pictures / seconds, 1),
        "cores": round((time.process_time() - used) / seconds, 2),
    }


def measure_views(model: Path, pictures: int) -> dict[str, dict[str, float]]:
    """Measure the window in each of the views."""
    controls = Controls()
    found = {}
    with Window(controls) as window:
        for view, (is_on, due) in VIEWS.items():
            controls.saliency = controls.frames = is_on
            found[view] = measure(window, controls, model, pictures, due)
    return found


def measure_tree(tree: Path, model: Path, pictures: int) -> dict[str, Any]:
    """Measure the window of another checkout; return what this program writes when it runs by that checkout's code."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "window.json")
        arguments = ["--model", str(model.resolve()), "--pictures", str(pictures), "--output", str(output)]
        environment = os.environ | {"PYTHONPATH": str(tree)}
        subprocess.run([sys.executable, __file__, *arguments], cwd=tree, env=environment, check=True)
        found: dict[str, Any] = json.loads(output.read_text())
    return found


def median_of(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each number over the rounds, and the pictures a second of each."""
    return {
        view: {name: statistics.median(each[view][name] for each in rounds) for name in ("frames_per_second", "cores")}
        | {"frames_per_second_of_rounds": [each[view]["frames_per_second"] for each in rounds]}
        for view in VIEWS
    }


def main() -> None:
    """Measure in turn, save and print the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=1200, help="of each measurement [%(default)s]")
    parser.add_argument("--model", type=Path, default=MODEL, help=f"that plays [{from_root(MODEL)}]")
    parser.add_argument("--rounds", type=int, default=1, help="[%(default)s]")
    parser.add_argument("--beside", type=Path, metavar="TREE", help="another checkout")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    ours, others = [], []
    for _ in range(options.rounds):
        ours.append(measure_views(options.model, options.pictures))
        if options.beside:
            others.append(measure_tree(options.beside, options.model, options.pictures))
    result = {"command": command_line(), "machine": describe_machine(), **median_of(ours)}
    if options.beside:
        result["beside"] = {"commit": others[0]["machine"]["commit"], **median_of(others)}
    write_result(result, options.output)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
