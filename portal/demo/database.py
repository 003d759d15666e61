"""The demo's own database and broker queue: made ready, and for one that passes, removed."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.exceptions import InconsistentMigrationHistory
from kombu.exceptions import OperationalError as BrokerAway

from portal.celery import app
from portal.demo import place
from portal.demo.processes import Trouble

BROKER_TIMEOUT_S = 5


@contextlib.contextmanager
def only_demo(folder: Path) -> Iterator[None]:
    """Have the folder to ourselves; Trouble when another demo works in it.  The system frees it if we die."""
    with (folder / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Trouble(
                f"Another demo is running with the data in {folder}. Stop that one first."
            ) from error
        yield


def prepare(*, fresh: bool) -> None:
    """Make a database with every table, or take the one there is; Trouble when it cannot be used."""
    if place.schema():
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            raise Trouble(f"The database in DATABASE_URL cannot be reached: {_first_line(error)}.") from error
    try:
        if fresh:
            _remove()
        if place.schema():
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {place.schema()}")
        call_command("migrate", verbosity=0, interactive=False)
        _try_every_table()
    except (DatabaseError, InconsistentMigrationHistory, OSError) as error:
        hint = "" if fresh else " Begin with an empty one: --fresh."
        raise Trouble(f"The demo's database cannot be used: {_first_line(error)}.{hint}") from error


def _remove() -> None:
    """Remove what an earlier demo left: our own schema, or our own file."""
    if place.schema():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {place.schema()} CASCADE")
        return
    file = Path(settings.DATABASES["default"]["NAME"])
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _try_every_table() -> None:
    """Read a row of each table, with all its columns: a database of another version shows now and not in the middle."""
    for model in apps.get_models():
        list(model._base_manager.all()[:1])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def check_broker() -> None:
    """Return when the broker can be reached; Trouble otherwise."""
    link = app.connection_for_write(connect_timeout=BROKER_TIMEOUT_S)
    try:
        link.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        link.release()
    except (BrokerAway, OSError, *link.connection_errors, *link.channel_errors) as error:
        raise Trouble(f"The broker in CELERY_BROKER_URL cannot be reached: {_first_line(error)}.") from error


def remove_passing() -> None:
    """Remove schema and queue of a demo for one run; files go by themselves.  Does what it can."""
    if not place.is_passing():
        return
    with contextlib.suppress(DatabaseError):
        if place.schema():
            _remove()
        connection.close()
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        return
    with (
        contextlib.suppress(BrokerAway, OSError),
        app.connection_for_write(connect_timeout=BROKER_TIMEOUT_S) as link,
    ):
        queue = app.amqp.queues[settings.CELERY_TASK_DEFAULT_QUEUE](link.default_channel)
        # Redis forgets only what this very channel has declared.
        queue.declare()
        queue.delete()
        queue.exchange.delete()
