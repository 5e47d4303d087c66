"""Imports flow one way: a module knows only those above it."""

import ast
from pathlib import Path

import pytest

import breakout_a3c

PACKAGE = Path(breakout_a3c.__file__).parent
ORDER = [
    "errors", "config", "command_line", "leave_with_trainer", "processes",
    "returns", "losses", "networks",
    "preprocessing", "environments", "late_starts", "rollout",
    "turns", "shared", "averaging", "clocks", "pipes", "trust_region", "reports", "actor_learner",
    "checkpoints", "models", "plan", "evaluation", "evaluation_pool", "saliency", "drawing", "controls", "playing",
    "recording", "viewer", "server", "evaluator",
    "metrics", "console", "guidance", "supervisor", "trainer", "curves",
]  # fmt: skip
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def local_imports(path: Path) -> set[str]:
    """Return the modules of this package that a file imports anywhere, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = f"breakout_a3c.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "breakout_a3c" else [base]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("breakout_a3c.")}
    return found


def test_every_way_of_importing_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "import breakout_a3c.a, torch\nfrom breakout_a3c import b\nfrom breakout_a3c.c import x\n"
        "from . import d\nfrom .e import y\nimport breakout_a3c\nfrom breakout_a3c_other import z\n"
        "def lazy():\n    from breakout_a3c.f import w\n"
    )
    assert local_imports(file) == set("abcdef")


def test_every_module_has_its_place() -> None:
    assert set(MODULES) - {"__init__"} <= set(ORDER), "add the new module to ORDER, above all that import it"
    assert len(set(ORDER)) == len(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_those_above_it(module: str) -> None:
    above = ORDER[: ORDER.index(module)] if module in ORDER else []
    below = local_imports(PACKAGE / f"{module}.py") - set(above)
    assert not below, f"{module} imports {', '.join(sorted(below))}, which stand below it"
