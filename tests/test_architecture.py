"""Who may import whom, and the engine's promise to be handed the time and the dice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / "integrations" / "engine"

# With these the engine would run differently in the simulator than in production (and could not be replayed).
AMBIENT_MODULES = {"time", "random", "secrets"}
AMBIENT_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4"}


def ambient_uses(source: str) -> Iterator[str]:
    """Yield `line: what` for each place where `source` helps itself to the time or to chance.

    What is imported for the type checker alone does not count.
    """
    tree = ast.parse(source)
    typing_only = {id(inner) for node in ast.walk(tree) if _is_typing_block(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        for name in _ambient_names(node):
            yield f"{node.lineno}: {name}"


def _is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _ambient_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] in AMBIENT_MODULES]
    if isinstance(node, ast.ImportFrom):
        if node.module in AMBIENT_MODULES:
            return [node.module]
        return [alias.name for alias in node.names if alias.name in AMBIENT_CALLS]
    if isinstance(node, ast.Attribute) and node.attr in AMBIENT_CALLS:
        # `clock.now()` is the way it is meant; `datetime.now()`, `date.today()` and `uuid.uuid4()` are not.
        owner = ast.unparse(node.value)
        return [ast.unparse(node)] if owner.split(".")[-1] in {"datetime", "date", "timezone", "uuid"} else []
    return []


def test_every_import_contract_is_kept(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)

    exit_code = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)

    assert exit_code == 0, capfd.readouterr().out


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
        "import random as dice",
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
        "if TYPE_CHECKING:\n    from random import Random",
        "key = uuid.uuid5(space, name)",
    ],
)
def test_the_engine_ban_lets_pass(source: str) -> None:
    assert not list(ambient_uses(source))
