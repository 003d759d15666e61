"""`manage.py simulate` tells what it did in figures that a program can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

SEEDS = Path(__file__).parent / "seeds"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    """What the command prints with `--json`."""
    call_command("simulate", "--json", *arguments)
    return json.loads(capsys.readouterr().out)


def test_a_kept_schedule_is_run_again_and_told_with_what_is_not_promised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = told(capsys, "--replay", str(SEEDS / "forestalled.jsonl"))["replayed"]
    names = ("seed", "profile", "violations", "not promised: forestalled by a late one")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (1191, "beyond", [], 1),
        (255, "beyond", [], 1),
    ]


def test_a_campaign_tells_where_it_began_how_long_it_took_and_which_seeds_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = told(capsys, "--schedules", "2", "--seed", "5", "--jobs", "1")
    assert figures.pop("seconds") >= 0
    counted = {"call faults", "calls", "deliveries", "events", "kills", "simulated s"}
    assert counted <= figures.keys()
    assert {name: figures[name] for name in figures.keys() - counted if "not promised" not in name} == {
        "profile": "base",
        "first seed": 5,
        "schedules": 2,
        "store": "memory",
        "jobs": 1,
        "failing": 0,
        "violations": {},
        "failing seeds": {},
        **{name: figures[name] for name in ("commits refused", "freezes", "skipped") if name in figures},
    }
