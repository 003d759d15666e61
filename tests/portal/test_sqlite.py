"""SQLite's writers take turns: who waits goes on when the one before has ended, or is told that it took too long."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from portal.sqlite.base import DatabaseWrapper

# A database of its own; the mark only permits it to be opened.
pytestmark = pytest.mark.django_db


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "turns.sqlite3"
    sqlite3.connect(path).execute("CREATE TABLE notes (text)").connection.commit()
    return path


def opened(place: Path, timeout_s: float) -> DatabaseWrapper:
    options = {"timeout": timeout_s, "transaction_mode": "IMMEDIATE"}
    settings: dict[str, Any] = {
        "ENGINE": "portal.sqlite", "NAME": str(place), "OPTIONS": options, "TIME_ZONE": None, "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False, "TEST": {},
    }  # fmt: skip
    return DatabaseWrapper(settings, "turns")


def test_a_writer_begins_when_the_one_before_has_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            other.execute("COMMIT")

    monkeypatch.setattr("portal.sqlite.base.time.sleep", pause)
    connection = opened(place, 10)
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

    assert pauses == [0.0003, 0.0006, 0.0012, 0.002, 0.002]
    assert connection.connection.in_transaction
    assert connection.connection.execute("PRAGMA busy_timeout").fetchone() == (10_000,)
    connection.rollback()
    connection.close()


def test_a_writer_who_waited_too_long_is_told(place: Path) -> None:
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connection = opened(place, 0)

    with pytest.raises(OperationalError, match="locked"):
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

    other.close()
    connection.close()
