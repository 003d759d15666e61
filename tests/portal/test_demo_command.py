"""`manage.py demo` from outside: what cannot work is told in one sentence, and nothing is left running."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from portal.demo import place

ROOT = Path(__file__).resolve().parents[2]
# The rest of the environment belongs to the tests themselves.
FORGOTTEN = {"CONCORD_TEST", "CONCORD_DEMO", "DATABASE_URL", "CELERY_BROKER_URL", "DATA_DIR"}


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with its things in `folder`, on free ports unless told otherwise."""
    environment = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
    command = [sys.executable, str(ROOT / "manage.py"), "demo"]
    free = [word for name in place.PORTS for word in (place.port_option(name), "0")]
    command += [*free, *arguments]
    return subprocess.run(
        command,
        env={**environment, "DATA_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def sentence(outcome: subprocess.CompletedProcess[str]) -> str:
    """The one line that was told; fails when it is more or the demo did not end with 1."""
    assert outcome.returncode == 1, outcome.stderr
    (line,) = outcome.stderr.strip().splitlines()
    return line


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = sentence(run(tmp_path, "--port", str(port)))

    assert told == f"Port {port} is taken, perhaps by another demo. Choose another with --port."


def test_a_broken_database(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "concord.sqlite3").write_text("This is no database. " * 100)

    told = sentence(run(tmp_path))

    assert told == (
        "The demo's database cannot be used: file is not a database. Begin with an empty one: --fresh."
    )


def test_a_database_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    with sqlite3.connect(tmp_path / "demo" / "concord.sqlite3") as database:
        database.execute("CREATE TABLE django_migrations (id integer PRIMARY KEY, app, name, applied)")
        database.execute("INSERT INTO django_migrations VALUES (1, 'slas', '0001_initial', '2026-01-01')")
    database.close()

    told = sentence(run(tmp_path))

    assert told.startswith("The demo's database cannot be used: ")
    assert told.endswith(" Begin with an empty one: --fresh.")


def test_a_missing_right(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    told = sentence(run(tmp_path / "file"))

    assert told.startswith("The demo keeps its things in ")
    assert "cannot be written" in told


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"DATABASE_URL": "mysql://db.example/x"},
            "DATABASE_URL must begin with sqlite:/// or postgres://.",
        ),
        (
            {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"},
            "The database in DATABASE_URL cannot be reached: ",
        ),
        (
            {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
            "The broker in CELERY_BROKER_URL cannot be reached: ",
        ),
    ],
)
def test_a_server_that_is_not_there(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    assert sentence(run(tmp_path, **variables)).startswith(told)


def test_a_demo_that_runs_already(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "demo").mkdir()
    with (tmp_path / "demo" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        told = sentence(run(tmp_path))

    assert told == f"Another demo is running with the data in {tmp_path}/demo. Stop that one first."
