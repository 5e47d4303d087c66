"""Export a model to other programs: as ONNX, or as a folder for a model hub."""

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

from breakout_a3c.called import called
from breakout_a3c.command_line import Parser, add_import_option
from breakout_a3c.errors import UserError
from breakout_a3c.saving.model_names import SUFFIX, model_path, require_there

ONNX_PACKAGES = ("onnx", "onnxscript")


def main() -> int:
    """Export the model named on the command line."""
    options = parse_options()
    try:
        if options.hub:
            export_to_hub(options.model, options.hub)
        else:
            export_to_onnx(options.model, options.target)
    except OSError as error:
        raise UserError(f"nothing was exported ({error}): check the paths.") from error
    return 0


def parse_options() -> argparse.Namespace:
    """Parse the command line; a mistake ends the program with one sentence and code 2."""
    parser = Parser(description="Export a model or a checkpoint to other programs.")
    parser.add_argument("model", metavar="MODEL", type=model_path, help="a checkpoint, a published model or its name")
    parser.add_argument("target", metavar="FILE", type=Path, nargs="?", help="the file to write, which ends in .onnx")
    parser.add_argument("--hub", metavar="FOLDER", type=Path, help="write a folder that a model hub takes instead")
    add_import_option(parser)
    options = parser.parse_args()
    if (options.target is None) == (options.hub is None):
        raise UserError("give either a file that ends in .onnx or --hub FOLDER.")
    require_there(options.model)
    if options.hub and options.model.suffix != SUFFIX:
        raise UserError(f"{options.model} is no published model: publish it first, {called('publish')} --help.")
    if options.target and options.target.suffix != ".onnx":
        raise UserError(f"{options.target} does not end in .onnx: give the file such a name.")
    if options.target and not options.target.parent.is_dir():
        raise UserError(f"there is no folder {options.target.parent}: make it, or give another.")
    return options


def export_to_onnx(model: Path, target: Path) -> None:
    """Write the network of a model as ONNX."""
    if not all(map(find_spec, ONNX_PACKAGES)):
        raise UserError(f"an export needs {' and '.join(ONNX_PACKAGES)}: pip install {' '.join(ONNX_PACKAGES)}.")
    import torch

    from breakout_a3c.games.make import make_environment
    from breakout_a3c.saving.agent import build_agent, load_weights
    from breakout_a3c.saving.onnx_export import write_onnx

    checkpoint = load_weights(model)
    agent = build_agent(checkpoint, model, torch.float32)
    environment = make_environment(checkpoint.config.game, seed=0)
    observation = torch.from_numpy(environment.reset()[0])
    write_onnx(agent.network, observation, target)
    inputs = "observations and lstm_state" if agent.network.memory else "observations"
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, for {inputs}.")
    print(f"Its actions 0, 1, ... are {', '.join(environment.action_names)}.")


def export_to_hub(model: Path, folder: Path) -> None:
    """Write a folder for a model hub, with a replay of one game."""
    os.environ["SDL_VIDEODRIVER"] = "dummy"  # CartPole draws with pygame, which would look for a display
    from breakout_a3c.playing.evaluation import Protocol
    from breakout_a3c.playing.player import Player
    from breakout_a3c.playing.recording import check_target, record
    from breakout_a3c.saving.agent import build_agent
    from breakout_a3c.saving.hub_folder import REPLAY, write_hub_folder
    from breakout_a3c.saving.published import evaluation_of, load_model

    checkpoint = load_model(model)
    write_hub_folder(model, checkpoint, evaluation_of(model), folder)
    check_target(folder / REPLAY)
    agent = build_agent(checkpoint, model)
    game = checkpoint.config.game
    player = Player(agent.network, game, Protocol.trained_for(game, episodes=1))
    record(player.play(0), folder / REPLAY, player.frames_per_second)
    print(f"{folder} is ready. This uploads it, after hf auth login:")
    print(f"hf upload NAME/{model.stem} {folder}")
