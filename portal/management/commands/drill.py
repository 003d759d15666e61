"""`manage.py drill`: cut a sandbox off during change traffic, bring it back, and put on record what arrived."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from integrations.models import Connection, System
from portal.benchmark.field import prepared
from portal.console import console
from portal.demo import passing, place, processes, seed
from portal.drill import run
from portal.models import Drill

LOOK_EVERY_S = 0.2
LISTED = 40


class Command(BaseCommand):
    """Stops a sandbox for a while and hands over the signed record."""

    help = (
        "Cut a sandbox off while people go on working on both sides, bring it back, and put on record whether every "
        "change arrived once, in its order, and both sides are equal. Works on a connection of a running "
        "`manage.py demo`, or with --alone starts everything itself in a place of its own. Exit code 1 unless it holds."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--connection", default=seed.CONNECTION, help="the connection by its name")
        parser.add_argument(
            "--away", help="the system that is cut off, by its name; the receiving one without it"
        )
        parser.add_argument(
            "--how", choices=Drill.How.values, default=Drill.How.CUT.value, help="what goes wrong"
        )
        parser.add_argument("--outage-s", type=int, default=60, help="for how long, in seconds")
        parser.add_argument("--tickets", type=int, default=5, help="tickets to work on")
        parser.add_argument("--changes", type=int, default=40, help="changes while it is away")
        parser.add_argument(
            "--alone", action="store_true", help="start sandboxes, worker and web server for this drill"
        )
        parser.add_argument("--record", type=Path, help="write the signed record to this file")
        parser.add_argument("--json", action="store_true", help="print the signed record as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Carry it out; exit code 1 unless everything arrived."""
        if options["alone"] and not place.is_passing():
            sys.exit(passing.run_again())
        try:
            with processes.stoppable(), _stage(options) as (connection, check):
                drill = _ask(connection, options)
                _carry_out(drill, check, quiet=options["json"])
        except processes.Stopped:
            raise CommandError("Stopped. A drill of a running demo is cancelled on its page.") from None
        except processes.Trouble as trouble:
            raise CommandError(str(trouble)) from trouble
        if drill.state != Drill.State.DONE:
            raise CommandError(drill.problem or "The drill was cancelled.")
        if options["record"]:
            options["record"].write_text(json.dumps(drill.record, indent=2, ensure_ascii=False))
        if options["json"]:
            self.stdout.write(json.dumps(drill.record, indent=2, ensure_ascii=False))
        else:
            _show(drill)
        sys.exit(0 if drill.verdict["holds"] else 1)


@contextmanager
def _stage(options: dict[str, Any]) -> Iterator[tuple[Connection, Any]]:
    if options["alone"]:
        with prepared({}) as field:
            yield Connection.objects.get(), field.processes.check
        return
    connection = Connection.objects.filter(name=options["connection"]).first()
    if connection is None:
        names = ", ".join(f"“{name}”" for name in Connection.objects.values_list("name", flat=True))
        raise processes.Trouble(
            f"There is no connection “{options['connection']}”. {f'There is {names}.' if names else ''}"
        )
    yield connection, lambda: None


def _ask(connection: Connection, options: dict[str, Any]) -> Drill:
    systems = {side.system.name: side.system for side in connection.sides.select_related("system")}
    away: System = list(systems.values())[-1]
    if options["away"]:
        if options["away"] not in systems:
            raise processes.Trouble(f"“{options['away']}” is not in it. There is {' and '.join(systems)}.")
        away = systems[options["away"]]
    # Ours alone: a worker that finds it due would take steps as well.
    return Drill.objects.create(
        connection=connection,
        stopped_system=away,
        how=options["how"],
        outage_s=options["outage_s"],
        tickets=options["tickets"],
        changes=options["changes"],
    )


def _carry_out(drill: Drill, check: Any, *, quiet: bool) -> None:
    """Take steps until it is over, whoever takes them: a running portal's worker may be quicker."""
    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task(drill.get_state_display(), total=drill.changes)
        while not drill.is_over:
            check()
            run.run_due(timezone.now(), only_ours=False)
            drill.refresh_from_db()
            bar.update(task, description=drill.get_state_display(), completed=drill.done)
            time.sleep(LOOK_EVERY_S)


def _show(drill: Drill) -> None:
    out, document = console(), drill.record["document"]
    table = Table(title=f"{document['away']} was away: {document['how'].lower()}")
    for heading in ("happened", "in", "what", "applied", "waited", "fate"):
        table.add_column(heading, justify="right" if heading == "waited" else "left")
    events = sorted(
        (event for ticket in document["tickets"] for event in ticket["events"]),
        key=lambda one: one["happened"],
    )
    for event in events[:LISTED]:
        waited = "" if event["waited_s"] is None else f"{event['waited_s']} s"
        times = [event[name][11:19] for name in ("happened", "applied")]
        table.add_row(times[0], event["in"], event["what"], times[1], waited, event["fate"])
    out.print(table)
    if len(events) > LISTED:
        out.print(f"and {len(events) - LISTED} more; --record FILE has all of them.")
    for name, value in document["verdict"].items():
        out.print(f"{name.replace('_', ' ')}: {value}")
    out.print(f"Signed with the key {drill.record['signature']['fingerprint']}.")
