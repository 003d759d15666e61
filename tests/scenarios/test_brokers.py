"""The same replay on the databases and brokers of a production, whose messages may all be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import kombu
import psycopg
import redis
from amqp.exceptions import ChannelError

from tests.scenarios.mischief import clean, replay

INCIDENTS = 6
# Long enough that some of it happens while the broker forgets.
MORE_INCIDENTS = 30


def schemas(postgres_url: str) -> set[str]:
    """The schemas of passing runs."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'concord_demo_%'")
        return {name for (name,) in rows}


def on(database: str, broker: str) -> dict[str, str]:
    """The variables of a production with these two."""
    return {"DATABASE_URL": database, "CELERY_BROKER_URL": broker}


def test_postgresql_and_redis_carry_a_replay(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    schemas_before, keys_before = schemas(postgres_url), set(client.keys())

    assert replay(tmp_path, INCIDENTS, on(postgres_url, redis_url)) == clean(INCIDENTS)

    assert schemas(postgres_url) - schemas_before == set()
    assert {key for key in client.keys() if b"concord-demo" in key} - keys_before == set()  # noqa: SIM118
    client.close()


def test_postgresql_and_rabbitmq_carry_a_replay(tmp_path: Path, postgres_url: str, amqp_url: str) -> None:
    schemas_before = schemas(postgres_url)

    assert replay(tmp_path, INCIDENTS, on(postgres_url, amqp_url)) == clean(INCIDENTS)

    assert schemas(postgres_url) - schemas_before == set()


def test_a_redis_that_forgets_everything_loses_no_change(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)

    found = replay(tmp_path, MORE_INCIDENTS, on(postgres_url, redis_url), beside=client.flushdb)

    assert found == clean(MORE_INCIDENTS)
    client.close()


def test_a_rabbitmq_whose_queues_are_emptied_loses_no_change(
    tmp_path: Path, postgres_url: str, amqp_url: str
) -> None:
    found = replay(tmp_path, MORE_INCIDENTS, on(postgres_url, amqp_url), beside=emptying(amqp_url, tmp_path))

    assert found == clean(MORE_INCIDENTS)


def emptying(amqp_url: str, folder: Path) -> Callable[[], None]:
    """What empties the queue of the replay that works in this folder, as soon as it has one."""

    def empty() -> None:
        with kombu.Connection(amqp_url, connect_timeout=3) as connection:
            for name in {environment["CELERY_QUEUE"] for environment in environments(folder)}:
                channel = connection.channel()
                try:
                    channel.queue_purge(queue=name)
                except ChannelError:
                    # It is not there yet, or no longer.
                    continue
                channel.close()

    return empty


def environments(folder: Path) -> Iterator[dict[str, str]]:
    """The variables of the processes that work in this folder."""
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            pairs = place.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            # It ended in the meantime.
            continue
        found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if found.get("TMPDIR") == str(folder) and "CELERY_QUEUE" in found:
            yield found
