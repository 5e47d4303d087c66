"""How many pictures a second the window shows at normal speed: ``python benchmarks/window.py``, with a display."""

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.scene import Scene
from breakout_a3c.playing.window import Window
from breakout_a3c.saving.agent import load_agent

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "breakout.safetensors"
WARM_UP, FRAMES = 120, 1200


def measure(window: Window, controls: Controls) -> dict[str, float]:
    """Show the beginning of a game; return pictures a second, and the share of a core that it took."""
    agent = load_agent(MODEL)
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls)

    def first(frames: int) -> Iterator[Scene]:
        return itertools.islice(player.play(0), frames)

    window.show(first(WARM_UP), player.frames_per_second)
    began, used = time.monotonic(), time.process_time()
    window.show(first(FRAMES), player.frames_per_second)
    seconds = time.monotonic() - began
    return {"frames_per_second": round(FRAMES / seconds, 1), "cores": round((time.process_time() - used) / seconds, 2)}


def main() -> None:
    """Measure the window as it opens, and with everything switched on."""
    controls = Controls()
    with Window(controls) as window:
        result = {"machine": describe_machine(), "plain": measure(window, controls)}
        controls.saliency = controls.frames = True
        result["saliency and frames"] = measure(window, controls)
    write_result(result, HERE / "results" / "window.json")
    print({name: values for name, values in result.items() if name != "machine"})


if __name__ == "__main__":
    main()
