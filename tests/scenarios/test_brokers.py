"""The same replay on the databases and brokers of a production: PostgreSQL with Redis, and with RabbitMQ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import redis

from tests import recordings

ROOT = Path(__file__).resolve().parents[2]
INCIDENTS = 6
MOST_S = 120
CLEAN = {
    "incidents": INCIDENTS,
    "events": len(recordings.log(INCIDENTS)),
    "kills": 0,
    "linked": INCIDENTS,
    "equal": INCIDENTS,
    "lost": 0,
    "doubled": 0,
    "out_of_order": 0,
    "findings": [],
    "agrees": True,
}


def replay(folder: Path, database: str, broker: str) -> dict[str, object]:
    """What a small replay on this database and broker came to."""
    given = ("PATH", "HOME", "LANG", "TZ")
    environment = {name: os.environ[name] for name in given if name in os.environ}
    environment |= {"DATABASE_URL": database, "CELERY_BROKER_URL": broker, "TMPDIR": str(folder)}
    log = recordings.write(folder / "log.csv.xz", recordings.log(INCIDENTS))
    outcome = subprocess.run(
        [sys.executable, "manage.py", "replay", str(log), "--alone", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=MOST_S,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    figures = json.loads(outcome.stdout)
    return {name: figures[name] for name in CLEAN}


def schemas(postgres_url: str) -> set[str]:
    """The schemas of passing runs."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'concord_demo_%'")
        return {name for (name,) in rows}


def test_postgresql_and_redis_carry_a_replay(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    schemas_before, keys_before = schemas(postgres_url), set(client.keys())

    assert replay(tmp_path, postgres_url, redis_url) == CLEAN

    assert schemas(postgres_url) - schemas_before == set()
    assert {key for key in client.keys() if b"concord-demo" in key} - keys_before == set()  # noqa: SIM118
    client.close()


def test_postgresql_and_rabbitmq_carry_a_replay(tmp_path: Path, postgres_url: str, amqp_url: str) -> None:
    schemas_before = schemas(postgres_url)

    assert replay(tmp_path, postgres_url, amqp_url) == CLEAN

    assert schemas(postgres_url) - schemas_before == set()
