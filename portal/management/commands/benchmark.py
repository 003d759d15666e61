"""`manage.py benchmark`: how fast, how late, and at what cost; the same work every time."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone
from rich.table import Table

from portal.benchmark import isolation, meters, pairs, runs
from portal.benchmark.field import prepared
from portal.benchmark.work import WORKS
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
        parser.add_argument(
            "--existing",
            type=int,
            default=0,
            help="so many linked tickets are in the database before it begins",
        )
        parser.add_argument(
            "--pairs",
            action="store_true",
            help="count the remote calls of a change for every ordered pair of systems instead, one by one, "
            "--rate a second at most, and under load, --tickets each; exit code 0 when no pair needs more than 3, otherwise 1",
        )
        parser.add_argument(
            "--kinds", nargs="+", default=[], choices=sorted(WORKS), help="only the pairs of these systems"
        )
        parser.add_argument(
            "--down",
            default="",
            choices=sorted(set(WORKS) - set(isolation.MEASURED)),
            metavar="SYSTEM",
            help="measure instead how much later changes arrive in Jira while this system, to which they go too, is "
            "down for the whole run; exit code 0 when the 99th percentile grows by less than 1 s, otherwise 1",
        )
        parser.add_argument(
            "--how", default="hang", choices=sorted(isolation.WAYS), help="how that system is down"
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run in a place of its own, which is removed at the end."""
        if not place.is_passing():
            sys.exit(passing.run_again())
        try:
            if options["down"]:
                results = _isolate(options)
            else:
                results = _count_pairs(options, self.stderr.write) if options["pairs"] else _measure(options)
        except processes.Trouble as trouble:
            raise CommandError(str(trouble)) from trouble
        except TimeoutError as standstill:
            raise CommandError(f"The work came to a standstill: {standstill}") from standstill
        if options["json"]:
            self.stdout.write(json.dumps(results, indent=2))
        elif options["down"]:
            _show_isolated(results)
        elif options["pairs"]:
            _show_pairs(results)
        else:
            _show(results)
        if options["pairs"] or options["down"]:
            sys.exit(0 if results["holds"] else 1)


def _measure(options: dict[str, Any]) -> dict[str, Any]:
    with prepared({}, existing_tickets=options["existing"]) as field, processes.stoppable():
        results: dict[str, Any] = {**_place(), "existing": options["existing"], "throughput": [], "delay": []}
        for remote_ms in options["remote_ms"]:
            results["throughput"].append(runs.as_json(runs.throughput(field, options["tickets"], remote_ms)))
            results["delay"].append(
                runs.as_json(runs.delay(field, options["paced_tickets"], options["rate"], remote_ms))
            )
        results["limit_changes_a_second"] = runs.limit(field)
        return results


def _count_pairs(options: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    chosen = pairs.all_pairs(tuple(options["kinds"]))
    with processes.stoppable():
        found = list(pairs.counted(chosen, options["tickets"], options["rate"], say))
    return {
        **_place(),
        "tickets": options["tickets"],
        "rate": options["rate"],
        "pairs": [{**asdict(one), "holds": one.holds} for one in found],
        "holds": all(one.holds for one in found),
    }


def _isolate(options: dict[str, Any]) -> dict[str, Any]:
    with processes.stoppable():
        found = isolation.isolated(
            options["down"], options["how"], options["paced_tickets"], options["rate"], options["tickets"]
        )
    return {**_place(), **asdict(found), "growth_ms": found.growth_ms, "holds": found.holds}


def _place() -> dict[str, Any]:
    return {
        "date": f"{timezone.localdate()}",
        "machine": meters.machine(),
        "database": connection.vendor,
        "broker": os.environ.get("CELERY_BROKER_URL", "filesystem").partition(":")[0],
    }


def _show_isolated(results: dict[str, Any]) -> None:
    out = console()
    out.print(
        f"{results['date']}, {results['machine']}, {results['database']}, broker {results['broker']}. "
        f"{results['rate']:g} changes a second to two systems, one of which is down ({results['how']}): {results['down']}."
    )
    table = Table(title="Delay in the other system")
    for name in ("", "changes", "arrived", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(name, justify="right" if name else "left")
    for label, name in (("both up", "before"), ("one down", "during")):
        row = results[name]
        table.add_row(label, *(str(row[key]) for key in ("changes", "arrived", "p50_ms", "p95_ms", "p99_ms")))
    out.print(table)
    out.print(
        f"{results['growth_ms']:+g} ms at the 99th percentile; less than {isolation.MOST_GROWTH_MS:g} is promised. "
        f"{results['waited']} lanes waited after {results['seconds_down']} s; all was caught up with "
        f"{results['caught_up_s']} s after the system came back, {results['left']} missing."
    )


def _show_pairs(results: dict[str, Any]) -> None:
    out = console()
    out.print(
        f"{results['date']}, {results['machine']}, {results['database']}, broker {results['broker']}. "
        f"{results['tickets']} new tickets with 3 updates each, one change after the other and all at once."
    )
    table = Table(title="Remote calls a change")
    for name in ("from", "to", "one by one", "under load", "lost", "doubled"):
        table.add_column(name, justify="left" if name in ("from", "to") else "right")
    for row in results["pairs"]:
        names = ("source", "target", "one_by_one", "under_load", "lost", "doubled")
        table.add_row(*(str(row[name]) for name in names), style="" if row["holds"] else "red")
    out.print(table)
    most = pairs.MOST_CALLS_A_CHANGE
    if results["holds"]:
        out.print(f"Not above {most:g} for any pair, and everything arrived once.")
        return
    failing = [row for row in results["pairs"] if not row["holds"]]
    out.print(
        f"Above {most:g}, or lost or doubled: "
        + ", ".join(f"{row['source']} → {row['target']}" for row in failing)
        + "."
    )


def _show(results: dict[str, Any]) -> None:
    out = console()
    out.print(
        f"{results['date']}, {results['machine']}, {results['database']}, broker {results['broker']}, "
        f"{results['existing']} linked tickets before. The bare loop of calls and commits does {results['limit_changes_a_second']} changes a second."
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
