"""The database crashes in the middle of a replay, twice, and everything arrives all the same."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.scenarios.mischief import clean, replay

INCIDENTS = 60
# Changes seen after which the database crashes.
CRASHES_AT = (60, 220)


@dataclass
class Cluster:
    """A PostgreSQL server of this test alone: crashing the one on the machine would hit everybody's."""

    programs: Path
    folder: Path
    port: int
    crashes: int = 0

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, *command: str) -> None:
        """Run one of PostgreSQL's programs, which refuse to run as root."""
        user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            check=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,  # type: ignore[call-overload]
        )

    def start(self) -> None:
        """Start it and wait until it takes connections, after recovery from a crash."""
        where = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=60"
        data = str(self.folder / "data")
        self.run("pg_ctl", "start", "-w", "-D", data, "-l", str(self.folder / "log"), "-o", where)

    def crash(self) -> None:
        """End it at once, without a checkpoint: it has to recover from its log."""
        self.run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.folder / "data"))
        self.crashes += 1

    def crash_in_the_middle(self) -> None:
        """Crash and start again when so many changes have been seen."""
        if self.crashes < len(CRASHES_AT) and self.changes() >= CRASHES_AT[self.crashes]:
            self.crash()
            self.start()

    def changes(self) -> int:
        """How many changes the replay has stored so far."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "SELECT schemaname FROM pg_tables WHERE tablename = 'integrations_syncevent'"
            ).fetchone()
            if found is None:
                return 0
            (count,) = connection.execute(
                f"SELECT count(*) FROM {found[0]}.integrations_syncevent"
            ).fetchone()  # type: ignore[misc]
            return int(count)


@pytest.fixture
def cluster(postgres_url: str) -> Iterator[Cluster]:
    """A server that may crash.  Asks for `postgres_url` only to run where PostgreSQL is at hand."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = programs[-1] if programs else Path(shutil.which("initdb") or "initdb")
    # Not in pytest's own folder, which the user postgres may not enter.
    folder = Path(tempfile.mkdtemp(prefix="concord-cluster-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Cluster(found.parent, folder, port)
    try:
        made.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        made.start()
        yield made
        made.crash()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_database_that_crashes_in_the_middle_loses_no_change(tmp_path: Path, cluster: Cluster) -> None:
    variables = {
        "DATABASE_URL": cluster.url,
        "SYNC_LANE_LEASE_S": "20",
        "SYNC_REQUEST_TIMEOUT_S": "5",
        "SYNC_POLL_S": "5",
    }

    found = replay(tmp_path, INCIDENTS, variables, beside=cluster.crash_in_the_middle)

    assert (found, cluster.crashes) == (clean(INCIDENTS), len(CRASHES_AT))
