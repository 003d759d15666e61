"""The whole of it in real processes: a worker runs, is killed, and the watcher outside of it tells the operators."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.demo.processes import Processes

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An installation of its own in a folder: embedded database, file broker, mails as files."""
    for name in ("PYTEST_VERSION", "CONCORD_TEST", "DATABASE_URL", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    return {
        "CONCORD_DEMO": "1",
        "DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "ALERT_MAIL_TO": "operators@infinity.example",
    }


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path / "logs")
    yield processes
    processes.stop()


def manage(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def open_codes(outcome: subprocess.CompletedProcess[str]) -> list[str]:
    return [one["code"] for one in json.loads(outcome.stdout)["alerts"]]


def test_a_worker_that_was_killed_is_told_by_the_watcher_outside(
    tmp_path: Path, variables: dict[str, str], running: Processes
) -> None:
    assert manage(variables, "migrate", "--verbosity", "0").returncode == 0
    worker = running.start_worker("watched", variables)
    with sqlite3.connect(tmp_path / "concord.sqlite3", timeout=30) as database:
        beats = "SELECT count(*) FROM integrations_heartbeat WHERE name IN ('tick', 'sweep')"
        deadline = time.monotonic() + PATIENCE_S
        while database.execute(beats).fetchone() != (2,):
            running.check()
            assert time.monotonic() < deadline, running.last_lines()
            time.sleep(0.1)
    well = manage(variables, "watch", "--once", "--json")

    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    with sqlite3.connect(tmp_path / "concord.sqlite3", timeout=30) as database:
        # Five minutes pass.
        passed = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S")
        database.execute("UPDATE integrations_heartbeat SET at = ?", [passed])
    dead = manage(variables, "watch", "--once", "--json")

    assert (well.returncode, open_codes(well)) == (0, [])
    assert (dead.returncode, open_codes(dead)) == (2, ["worker_away"])
    [mail] = (tmp_path / "mail").iterdir()
    assert "To: operators@infinity.example" in mail.read_text()
    assert "No worker runs" in mail.read_text()
