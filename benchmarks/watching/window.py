"""How many pictures a second the window shows at normal speed; it needs a display."""

import itertools
import time
from pathlib import Path

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
from breakout_a3c.saving.agent import load_agent

MODEL = MODELS / "breakout.safetensors"
OUTPUT = RESULTS / "window" / "window.json"
WARM_UP = 120  # pictures


def measure(window: Window, controls: Controls, pictures: int) -> dict[str, float]:
    """Show the beginning of a game; return pictures a second, and the fraction of a core that it took."""
    agent = load_agent(MODEL)
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls)

    def show(count: int) -> None:
        scenes = itertools.islice(player.play(0), count)
        show_game(window, scenes, player.frames_per_second, controls, RecordingOnDemand(controls))

    show(WARM_UP)
    began, used = time.monotonic(), time.process_time()
    show(pictures)
    seconds = time.monotonic() - began
    return {
        "frames_per_second": round(pictures / seconds, 1),
        "cores": round((time.process_time() - used) / seconds, 2),
    }


def main() -> None:
    """Measure the window as it opens, and with everything switched on."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=1200, help="of each measurement [%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    result: dict[str, object] = {"command": command_line(), "machine": describe_machine()}
    controls = Controls()
    with Window(controls) as window:
        result["plain"] = measure(window, controls, options.pictures)
        controls.saliency = controls.frames = True
        result["saliency and frames"] = measure(window, controls, options.pictures)
    write_result(result, options.output)
    print({name: result[name] for name in ("plain", "saliency and frames")})


if __name__ == "__main__":
    main()
