"""Imports flow one way: a room knows only those before it, and a file only those above it in its room."""

import ast
from pathlib import Path

import pytest

import breakout_a3c

PACKAGE = Path(breakout_a3c.__file__).parent
# Rooms in the order in which they may know each other; "" is the package's own folder. Files likewise.
ORDER = {
    "": ["errors", "interrupts", "called", "dependencies", "extensions", "config", "presets", "command_line", "launch"],
    "processes": ["preload", "resources", "ends", "start", "pipes", "turns"],
    "games": [
        "names", "preprocessing", "state", "emulators", "atari", "preload", "gymnasium_game", "cartpole", "make",
        "seeds", "late_starts", "second_chances", "learner_view", "batch",
    ],
    "learning": [
        "vector_operations", "mirrored_maps", "cached_layers", "changed_pixels", "memory", "networks", "advantages",
        "losses", "local_parameters", "optimizer", "shared_parameters", "rollout", "step_limits", "reports",
        "actor_learner",
    ],
    "saving": [
        "provenance", "files", "model_names", "other_programs", "run_names", "retired_settings", "config_file",
        "archive", "contents", "checkpoints", "newest", "weights", "published", "agent", "onnx_export", "hub_folder",
        "run_folder", "watched_run",
    ],
    "playing": [
        "evaluation", "evaluation_pool", "saliency", "scene", "controls", "player", "recording", "show", "window",
        "page_address", "web_page", "following", "report", "progress", "curves",
    ],
    "training": [
        "needs", "cores", "contexts", "plan", "averaging", "clocks", "evaluator", "statistics",
        "status", "metrics", "weights_and_biases", "console", "messages", "evaluations", "supervisor", "device_choice",
        "trainer",
    ],
    "cluster": [
        "options", "compatibility", "exchange", "parameter_server", "group_parameters", "group", "machines",
        "ray_folder", "head_calls", "ray_cluster",
    ],
    "library": ["registration", "inspection", "translation", "agents", "environments", "trainings"],
    "commands": ["train", "play", "games", "curves", "publish", "export"],
}  # fmt: skip
STRANGERS = {"processes": {"games"}, "games": {"processes"}}  # rooms beside each other
MODULES = sorted(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py"))
IN_ORDER = [f"{room}.{file}".lstrip(".") for room, files in ORDER.items() for file in files]


def local_imports(path: Path) -> set[str]:
    """Return the modules of this package that a file imports anywhere, inside functions and as strings too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively: write the whole name"
            base = node.module or ""
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        else:
            continue
        found |= {name.removeprefix("breakout_a3c.") for name in names if name.startswith("breakout_a3c.")}
    return found & set(MODULES)


def may_know(module: str) -> set[str]:
    """Return the modules that ``module`` may import."""
    if module == "__main__":
        return set(IN_ORDER)
    strangers = STRANGERS.get(module.partition(".")[0], set())
    above = IN_ORDER[: IN_ORDER.index(module)]
    return {other for other in above if other.partition(".")[0] not in strangers}


def test_every_way_of_importing_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "import breakout_a3c.errors, torch\nfrom breakout_a3c import config\n"
        "from breakout_a3c.command_line import x\nfrom breakout_a3c.games import make\nimport breakout_a3c\n"
        "from breakout_a3c_other import z\nPRELOAD = 'breakout_a3c.learning.losses'\n"
        "def lazy():\n    from breakout_a3c.training.trainer import Trainer\n"
    )
    assert local_imports(file) == {
        "errors", "config", "command_line", "games.make", "learning.losses", "training.trainer",
    }  # fmt: skip


def test_every_module_has_its_place() -> None:
    inits = {"__init__", "__main__", *(f"{room}.__init__" for room in ORDER if room)}
    assert set(MODULES) - inits == set(IN_ORDER), "add the new module to ORDER, above all that import it"
    assert inits <= set(MODULES), "each room says what lives in it"


@pytest.mark.parametrize("module", [*IN_ORDER, "__main__"])
def test_a_module_imports_only_those_above_it(module: str) -> None:
    below = local_imports(PACKAGE / f"{module.replace('.', '/')}.py") - may_know(module)
    assert not below, f"{module} knows {', '.join(sorted(below))}, which stand below it"


@pytest.mark.parametrize("room", [room for room in ORDER if room])
def test_each_room_says_in_three_lines_what_lives_in_it(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text())) or ""
    assert docstring.count("\n") == 2
    assert "Here:" in docstring
    assert "Not here:" in docstring
