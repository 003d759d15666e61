"""`manage.py simulate`: thousands of worlds in virtual time, each judged by every invariant."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.management.color import no_style
from django.db import connection, transaction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from integrations.services.simulated_stage import DjangoStage
from integrations.simulation import campaign
from integrations.simulation.mutants import BY_NAME
from integrations.simulation.profiles import PROFILES, schedule_of
from integrations.simulation.schedule import from_json

# Seeds that a process takes at once.
CHUNK = 25
SHOWN = 5


class Command(BaseCommand):
    """Runs schedules; a failing one is made small and shown with the command that runs it again."""

    help = (
        "Live through random schedules of edits, faults and kills in virtual time, on the engine's own code, and judge "
        "each by every invariant. Nothing outside this process is touched. Exit code 1 when a promise was broken."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--schedules", type=int, default=1000, help="how many, default %(default)s")
        parser.add_argument("--seed", type=int, default=0, help="the first seed, default %(default)s")
        parser.add_argument("--profile", choices=sorted(PROFILES), default="base")
        parser.add_argument("--jobs", type=int, default=2, help="processes, default %(default)s")
        parser.add_argument(
            "--store",
            choices=("memory", "django"),
            default="memory",
            help="django: on a test database made for it beside the one of DATABASE_URL, in one process; every "
            "claim, call and transaction is compared with the course in memory",
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument("--replay", type=Path, metavar="FILE", help="run one kept schedule instead")
        parser.add_argument(
            "--keep", type=Path, metavar="FILE", help="keep the smallest failing schedule there"
        )
        parser.add_argument(
            "--mutants",
            action="store_true",
            help="switch each safety mechanism off and tell in which schedule a checker notices",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print, and exit with 1 when a promise was broken or a mutant survived."""
        if options["schedules"] < 1 or options["jobs"] < 1:
            raise CommandError("Give at least one schedule and one job.")
        if options["mutants"]:
            self._hunt(options)
        elif options["replay"]:
            self._replay(options["replay"], as_json=options["json"])
        else:
            self._campaign(options)

    # Campaigns.

    def _campaign(self, options: dict[str, Any]) -> None:
        started = time.monotonic()
        totals: Counter[str] = Counter()
        violations: Counter[str] = Counter()
        failing: dict[int, list[str]] = {}
        other_course: dict[int, str] = {}
        for outcome in self._outcomes(options):
            totals.update(outcome.figures)
            if outcome.difference:
                other_course[outcome.seed] = outcome.difference
            for violation in outcome.violations:
                violations[violation.invariant] += 1
                failing.setdefault(outcome.seed, []).append(str(violation))
        figures = {
            "profile": options["profile"],
            "first seed": options["seed"],
            "schedules": options["schedules"],
            "store": options["store"],
            "jobs": options["jobs"],
            "failing": len(failing),
            **({"another course": len(other_course)} if options["store"] == "django" else {}),
            "violations": dict(sorted(violations.items())),
            **dict(sorted(totals.items())),
            "seconds": round(time.monotonic() - started, 1),
        }
        if options["json"]:
            self.stdout.write(json.dumps({**figures, "failing seeds": failing}))
        else:
            self._print(figures)
        for seed in sorted(other_course)[:SHOWN]:
            self.stderr.write(f"\nseed {seed} takes another course than in memory, {other_course[seed]}")
        if failing:
            self._explain(options, failing)
        if failing or other_course:
            sys.exit(1)

    def _outcomes(self, options: dict[str, Any]) -> Iterator[campaign.Outcome]:
        first, last = options["seed"], options["seed"] + options["schedules"]
        if options["store"] == "django":
            with _progress(options) as progress:
                yield from progress.track(_on_django(options["profile"], range(first, last)), last - first)
            return
        chunks = [range(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        with ProcessPoolExecutor(options["jobs"], mp_context=context) as pool, _progress(options) as progress:
            task = progress.add_task("", total=options["schedules"])
            profile = options["profile"]
            for outcomes in pool.map(campaign.run_many, [profile] * len(chunks), chunks):
                progress.advance(task, len(outcomes))
                yield from outcomes

    def _print(self, figures: dict[str, Any]) -> None:
        for name, value in figures.items():
            if name != "violations":
                self.stdout.write(
                    f"{name:<40} {value:,}" if isinstance(value, int) else f"{name:<40} {value}"
                )
        for invariant, count in figures["violations"].items():
            self.stdout.write(self.style.ERROR(f"{invariant:<40} broken {count} times"))

    def _explain(self, options: dict[str, Any], failing: dict[int, list[str]]) -> None:
        out = self.stderr
        for seed in sorted(failing)[:SHOWN]:
            out.write(f"\nseed {seed}: {failing[seed][0]}")
            out.write(
                f"  python3 manage.py simulate --schedules 1 --seed {seed} --profile {options['profile']}"
            )
        seed = min(failing)
        schedule = schedule_of(seed, options["profile"])
        invariant = failing[seed][0].split(":")[0]
        smallest = campaign.smallest(schedule, invariant)
        out.write(f"\nThe smallest schedule found that breaks {invariant} as seed {seed} does:\n")
        out.write(smallest.history())
        for violation in campaign.run_one(smallest).violations[:SHOWN]:
            out.write(f"  {violation}")
        if options["keep"]:
            options["keep"].write_text(smallest.as_json() + "\n", encoding="utf-8")
            out.write(f"\nKept in {options['keep']}; run it again with --replay {options['keep']}")

    def _replay(self, path: Path, *, as_json: bool) -> None:
        try:
            schedules = [from_json(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CommandError(f"{path} holds no schedule: {error}") from error
        outcomes = [campaign.run_one(schedule) for schedule in schedules]
        told = [[str(violation) for violation in outcome.violations] for outcome in outcomes]
        if as_json:
            rows = [
                {"seed": schedule.seed, "profile": schedule.profile, "violations": broken, **outcome.figures}
                for schedule, outcome, broken in zip(schedules, outcomes, told, strict=True)
            ]
            self.stdout.write(json.dumps({"replayed": rows}))
        else:
            for schedule, broken in zip(schedules, told, strict=True):
                self.stdout.write(schedule.history())
                for violation in broken or ["Every promise was kept."]:
                    self.stdout.write(f"  {violation}")
        if any(told):
            sys.exit(1)

    # Mutants.

    def _hunt(self, options: dict[str, Any]) -> None:
        started = time.monotonic()
        with ProcessPoolExecutor(options["jobs"]) as pool:
            rows = list(pool.map(_hunted, BY_NAME, [options["schedules"]] * len(BY_NAME)))
        survivors = [row for row in rows if row["seed"] is None]
        if options["json"]:
            figures = {
                "caught": len(rows) - len(survivors),
                "survivors": [row["name"] for row in survivors],
                "within": options["schedules"],
                "mutants": rows,
                "seconds": round(time.monotonic() - started, 1),
            }
            self.stdout.write(json.dumps(figures))
        else:
            for row in rows:
                found = (
                    f"schedule {row['seed']}: {row['violation']}" if row["seed"] is not None else "survives"
                )
                style = self.style.SUCCESS if row["seed"] is not None else self.style.ERROR
                self.stdout.write(style(f"{row['name']:<22} {row['profile']:<12} {found}"))
        if survivors:
            sys.exit(1)


def _progress(options: dict[str, Any]) -> Progress:
    columns = (TextColumn("schedules"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True, quiet=options["json"]), transient=True)


def _on_django(profile: str, seeds: range) -> Iterator[campaign.Outcome]:
    """The schedules on Django's store: a database of its own, every world undone when it is over."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        for seed in seeds:
            stage = DjangoStage()
            try:
                with transaction.atomic():
                    _count_from_one()
                    outcome = campaign.run_on_both(schedule_of(seed, profile), stage)
                    transaction.set_rollback(True)
                yield outcome
            finally:
                stage.close()
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _count_from_one() -> None:
    """Let the keys of new rows count from one, as those in memory do: undoing a world leaves sequences where they are."""
    with connection.cursor() as cursor:
        tables = connection.introspection.sequence_list()
        for statement in connection.ops.sequence_reset_by_name_sql(no_style(), tables):
            cursor.execute(statement)


def _hunted(name: str, schedules: int) -> dict[str, Any]:
    mutant = BY_NAME[name]
    found = campaign.caught_by(mutant, within=schedules)
    return {
        "name": mutant.name,
        "what": mutant.what,
        "breaks": sorted(mutant.breaks),
        "profile": mutant.profile,
        "seed": found[0] if found else None,
        "violation": str(found[1])[:160] if found else "",
    }
