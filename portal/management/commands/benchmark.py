"""`manage.py benchmark`: how fast, how late, and at what cost; the same work every time."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone
from rich.table import Table

from portal.benchmark import meters, runs
from portal.benchmark.field import prepared
from portal.console import console
from portal.demo import passing, place, processes


class Command(BaseCommand):
    """Measures synchronised changes a second, calls and CPU for each, delay and memory; the limit beside it."""

    help = (
        "Measure how many changes a second travel from the Zendesk sandbox to the Jira sandbox, how long each takes "
        "and what it costs. Uses DATABASE_URL and CELERY_BROKER_URL where they are set, in a place of its own."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument(
            "--tickets", type=int, default=150, help="new tickets in a burst, with 3 updates each"
        )
        parser.add_argument(
            "--paced-tickets", type=int, default=50, help="new tickets one by one, 3 updates each"
        )
        parser.add_argument("--rate", type=float, default=10.0, help="changes a second of the paced run")
        parser.add_argument(
            "--remote-ms", type=int, nargs="+", default=[0, 50], help="how far away the systems are"
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run in a place of its own, which is removed at the end."""
        if not place.is_passing():
            sys.exit(passing.run_again())
        try:
            results = _measure(options)
        except processes.Trouble as trouble:
            raise CommandError(str(trouble)) from trouble
        except TimeoutError as standstill:
            raise CommandError(f"The work came to a standstill: {standstill}") from standstill
        if options["json"]:
            self.stdout.write(json.dumps(results, indent=2))
        else:
            _show(results)


def _measure(options: dict[str, Any]) -> dict[str, Any]:
    with prepared({}) as field, processes.stoppable():
        results: dict[str, Any] = {
            "date": f"{timezone.localdate()}",
            "machine": meters.machine(),
            "database": connection.vendor,
            "broker": os.environ.get("CELERY_BROKER_URL", "filesystem").partition(":")[0],
            "throughput": [],
            "delay": [],
        }
        for remote_ms in options["remote_ms"]:
            results["throughput"].append(runs.as_json(runs.throughput(field, options["tickets"], remote_ms)))
            results["delay"].append(
                runs.as_json(runs.delay(field, options["paced_tickets"], options["rate"], remote_ms))
            )
        results["limit_changes_a_second"] = runs.limit(field)
        return results


def _show(results: dict[str, Any]) -> None:
    out = console()
    out.print(
        f"{results['date']}, {results['machine']}, {results['database']}, broker {results['broker']}. "
        f"The bare loop of calls and commits does {results['limit_changes_a_second']} changes a second."
    )
    for title in ("throughput", "delay"):
        table = Table(title=title.capitalize())
        rows = results[title]
        for name in rows[0]:
            if name != "database":
                table.add_column(name.replace("_", " "), justify="right")
        for row in rows:
            table.add_row(*(str(value) for name, value in row.items() if name != "database"))
        out.print(table)
