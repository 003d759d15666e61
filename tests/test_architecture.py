"""Who may import whom, and the engine's promise to be handed the time and the dice."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / "integrations" / "engine"

# The linter changes the logging of the process it runs in, so it gets one of its own.
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# With these the engine would run differently in the simulator than in production, and could not be replayed.
AMBIENT_MODULES = {"time", "secrets"}
AMBIENT_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4"}
AMBIENT_OWNERS = {"datetime", "date", "timezone", "uuid"}


def ambient_uses(source: str) -> Iterator[str]:
    """Yield `line: what` for each place where `source` helps itself to the time or to chance.

    Of `random` it may name the class, which is how it declares the dice it is handed.
    """
    nodes = list(ast.walk(ast.parse(source)))
    imported = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    # An argument may well be called `random`: the module is what it was imported as.
    dice = {alias.asname or alias.name for alias in imported if alias.name == "random"}
    for node in nodes:
        for name in _ambient_names(node, dice):
            yield f"{getattr(node, 'lineno', 0)}: {name}"


def _ambient_names(node: ast.AST, dice: set[str]) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names if alias.name in AMBIENT_MODULES]
        case ast.ImportFrom(module="random", names=names):
            return [alias.name for alias in names if alias.name != "Random"]
        case ast.ImportFrom(module=module, names=names):
            return [alias.name for alias in names if module in AMBIENT_MODULES or alias.name in AMBIENT_CALLS]
        case ast.Call(func=ast.Attribute(attr="Random") | ast.Name(id="Random")):
            return [ast.unparse(node)]
        case ast.Attribute(value=ast.Name(id=module), attr=attr) if module in dice and attr != "Random":
            return [ast.unparse(node)]
        case ast.Attribute(value=owner, attr=attr) if attr in AMBIENT_CALLS:
            # `clock.now()` is how it is meant.
            return [ast.unparse(node)] if ast.unparse(owner).split(".")[-1] in AMBIENT_OWNERS else []
    return []


def test_every_import_contract_is_kept() -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_engine_is_handed_the_time_and_the_dice() -> None:
    uses = [
        f"{path.relative_to(ROOT)}:{use}"
        for path in sorted(ENGINE.rglob("*.py"))
        for use in ambient_uses(path.read_text(encoding="utf-8"))
    ]

    assert uses == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import random as dice\nwait_s = dice.uniform(0, 1)",
        "from random import uniform",
        "import random\ndice = random.Random()",
        "from secrets import token_hex",
        "stamp = datetime.now(UTC)",
        "stamp = datetime.datetime.utcnow()",
        "day = date.today()",
        "key = uuid.uuid4()",
        "from uuid import uuid4",
        "def later():\n    import time",
    ],
)
def test_the_engine_ban_sees(source: str) -> None:
    assert list(ambient_uses(source))


@pytest.mark.parametrize(
    "source",
    [
        "stamp = clock.now()",
        "from datetime import datetime, timedelta",
        "from random import Random\ndef wait(dice: Random): return dice.uniform(0, 1)",
        "import random as r\ndef wait(random: r.Random): return random.uniform(0, 1)",
        "key = uuid.uuid5(space, name)",
    ],
)
def test_the_engine_ban_lets_pass(source: str) -> None:
    assert not list(ambient_uses(source))
