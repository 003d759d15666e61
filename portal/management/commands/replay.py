"""`manage.py replay`: a recorded ticket history becomes life in a sandbox, and everything is compared at the end."""

from __future__ import annotations

import json
import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from integrations.models import Connection, System
from integrations.sandbox.client import Sandbox, SandboxError
from integrations.sandbox.jira.settings import simplified_transitions
from portal.benchmark.field import Field, prepared
from portal.demo import passing, place, processes, seed
from portal.replay import player, service_levels, tables
from portal.replay.log import Incident, LogDamaged, read_log
from portal.replay.verdict import Verdict, judge

PATIENCE_S = 180.0


@dataclass(slots=True)
class Stage:
    """Where the history is played: both sandboxes, their connection, and what happens between two batches."""

    connection: Connection
    zendesk: Sandbox
    jira: Sandbox
    check: Callable[[], None]
    kills: int = 0


class Command(BaseCommand):
    """Plays a ServiceNow audit log into a Zendesk sandbox while the worker carries it to Jira."""

    help = (
        "Play a recorded ServiceNow audit log (.csv or .csv.xz) into a Zendesk sandbox while the worker runs, then "
        "compare both systems and the service levels with the file. Plays into a running `manage.py demo`, or with "
        "--alone starts everything itself in a place of its own."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("file", type=Path, help="the audit log")
        parser.add_argument(
            "--into", default=seed.ZENDESK, help="the Zendesk system by its name in the portal"
        )
        parser.add_argument("--incidents", type=int, help="only the first so many incidents")
        parser.add_argument(
            "--speed", type=float, default=0.0, help="times faster than recorded; 0 means at once"
        )
        parser.add_argument(
            "--alone", action="store_true", help="start sandboxes, worker and web server for this run"
        )
        parser.add_argument(
            "--kill-every",
            type=float,
            default=0.0,
            metavar="S",
            help="with --alone: kill -9 the worker about so often",
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the whole file before anything is played; exit code 1 unless everything agrees."""
        try:
            incidents = read_log(options["file"], options["incidents"])
        except LogDamaged as damaged:
            raise CommandError(f"{damaged} Nothing was imported.") from damaged
        if options["kill_every"] and not options["alone"]:
            raise CommandError("--kill-every needs --alone: a worker that others use is not killed.")
        if options["alone"] and not place.is_passing():
            sys.exit(passing.run_again())
        try:
            with processes.stoppable(), _stage(options) as stage:
                results = _run(stage, incidents, options)
        except processes.Stopped:
            raise CommandError("Stopped. What was played so far stays in the sandbox.") from None
        except (processes.Trouble, SandboxError) as trouble:
            raise CommandError(str(trouble)) from trouble
        except TimeoutError as standstill:
            raise CommandError(f"The work came to a standstill: {standstill}") from standstill
        if options["json"]:
            self.stdout.write(json.dumps(results, indent=2))
        else:
            tables.show(results)
        sys.exit(0 if results["agrees"] else 1)


@contextmanager
def _stage(options: dict[str, Any]) -> Iterator[Stage]:
    if options["alone"]:
        with prepared({}) as field:
            stage = Stage(Connection.objects.get(), field.left, field.right, field.processes.check)
            if options["kill_every"]:
                stage.check = _killing(stage, field, options["kill_every"])
            yield stage
        return
    system = System.objects.filter(name=options["into"]).first()
    if system is None or system.kind != "zendesk":
        names = ", ".join(
            f"“{name}”" for name in System.objects.filter(kind="zendesk").values_list("name", flat=True)
        )
        raise processes.Trouble(
            f"There is no Zendesk system “{options['into']}”. {f'There is {names}.' if names else ''}"
        )
    side = system.sides.filter(position="left").select_related("connection").first()
    if side is None:
        raise processes.Trouble(f"“{system}” is in no connection that begins there.")
    other = side.connection.sides.exclude(pk=side.pk).select_related("system").get().system
    clients = [_sandbox(system), _sandbox(other)]
    # The log knows nothing of the steps that a workflow may ask for.
    clients[1].settings(transitions=simplified_transitions())
    yield Stage(side.connection, clients[0], clients[1], lambda: None)


def _sandbox(system: System) -> Sandbox:
    """The sandbox behind a system; Trouble when there is a real one, or nothing."""
    if system.environment != System.Environment.SANDBOX:
        raise processes.Trouble(
            f"“{system}” is not a sandbox: a recorded history is never played into a real system."
        )
    client = Sandbox(system.base_url)
    try:
        client.ready()
    except (OSError, ValueError, SandboxError) as error:
        raise processes.Trouble(
            f"At {system.base_url} no sandbox answers. Start `manage.py demo`, or use --alone."
        ) from error
    return client


def _killing(stage: Stage, field: Field, every_s: float) -> Callable[[], None]:
    """A check that now and then kills the worker, at moments nobody can foresee.

    The time counts from the moment a worker begins to work: one that is killed while it starts has done nothing.
    """
    dice = random.Random(20160229)
    started_at, due = timezone.now(), 0.0

    def check_and_kill() -> None:
        nonlocal started_at, due
        if due and time.monotonic() >= due:
            field.kill_worker()
            stage.kills += 1
            started_at, due = timezone.now(), 0.0
        elif not due and field.has_worked_since(started_at):
            due = time.monotonic() + dice.uniform(0.5, 1.5) * every_s
        field.processes.check()

    return check_and_kill


def _run(stage: Stage, incidents: list[Incident], options: dict[str, Any]) -> dict[str, Any]:
    actions = player.in_recorded_order(incidents)
    stage.zendesk.reset_calls()
    stage.jira.reset_calls()
    began = time.monotonic()
    with _progress(options["json"]) as bar:
        task = bar.add_task("Playing", total=len(actions))
        for done in player.play(actions, stage.zendesk, speed=options["speed"], check=stage.check):
            bar.update(task, completed=done)
        task = bar.add_task("Carrying on", total=None)
        quiet = player.wait_until_quiet((stage.zendesk, stage.jira), check=stage.check, patience_s=PATIENCE_S)
        most = 0
        for left in quiet:
            most = max(most, left)
            bar.update(task, total=most, completed=most - left)
        seconds = time.monotonic() - began
        calls = int(stage.zendesk.calls()["total"]) + int(stage.jira.calls()["total"])
        verdict = _judged(stage, incidents, bar)
    levels = service_levels.compare(incidents, stage.connection)
    return {
        "incidents": len(incidents),
        "events": len(actions),
        "seconds": round(seconds, 1),
        "changes_a_second": round(len(actions) / seconds, 1),
        "calls_a_change": round(calls / len(actions), 2),
        "kills": stage.kills,
        **{name: value for name, value in asdict(verdict).items() if name != "incidents"},
        "service_levels": levels.as_value(),
        "agrees": verdict.is_clean and levels.agrees,
    }


def _judged(stage: Stage, incidents: list[Incident], bar: Progress) -> Verdict:
    wanted = {f"{one.number} {one.rows[0].category}" for one in incidents}
    subjects = {
        str(ticket["fields"]["subject"]): str(ticket["id"])
        for ticket in stage.zendesk.tickets()
        if ticket["fields"]["subject"] in wanted
    }
    summaries = [str(issue["fields"]["summary"]) for issue in stage.jira.tickets()]
    task = bar.add_task("Comparing", total=len(subjects))
    verdict = Verdict()
    for _ in judge(verdict, stage.connection, subjects, summaries):
        bar.advance(task)
    return verdict


def _progress(is_quiet: bool) -> Progress:
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=is_quiet)
