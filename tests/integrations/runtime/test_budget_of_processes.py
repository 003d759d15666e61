"""Workers that are processes of their own share a ceiling through the database, and never exceed it together."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
CEILING = 60
# Three minutes and a bit, a quarter of a second apart.
MOMENTS = [step / 4 for step in range(800)]
SET_UP = f"""
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from integrations.models import SystemBudget
from tests.factories import make_system
SystemBudget.objects.create(system=make_system(kind="jira"), ceiling={CEILING})
"""


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[str]:
    """The address of an empty database on the PostgreSQL server."""
    name = f"concord_budget_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_two_processes_stay_under_the_ceiling_on_an_sqlite_file(tmp_path: Path) -> None:
    judge(went_together(f"sqlite:///{tmp_path / 'budget.sqlite3'}"))


def test_two_processes_stay_under_the_ceiling_on_postgresql(fresh_database: str) -> None:
    judge(went_together(fresh_database))


def went_together(database: str) -> list[list[int]]:
    """How many calls each of two processes made at each moment, both working at it at once."""
    variables = {
        **{name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"},
        "CONCORD_TEST": "1",
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "-c", SET_UP], cwd=ROOT, env=variables, check=True, timeout=300)
    worker = [sys.executable, "-m", "tests.integrations.runtime.clockwork"]
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    worker, cwd=ROOT, env=variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            for _ in range(2)
        ]
        went: list[list[int]] = [[], []]
        for at in MOMENTS:
            for one in both:
                assert one.stdin is not None
                one.stdin.write(f"{at}\n")
                one.stdin.flush()
            for one, counted in zip(both, went, strict=True):
                assert one.stdout is not None
                counted.append(int(one.stdout.readline()))
        return went


def judge(went: list[list[int]]) -> None:
    together = [sum(counts) for counts in zip(*went, strict=True)]
    minute = 60 * 4
    assert max(sum(together[at : at + minute]) for at in range(len(together))) <= CEILING
    # What is allowed is used, by both of them.
    assert sum(together) >= 3 * CEILING
    assert min(sum(counts) for counts in went) >= CEILING // 2
