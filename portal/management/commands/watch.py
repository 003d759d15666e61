"""`manage.py watch`: looks after the portal from outside of the worker, so that somebody notices when the worker dies."""

from __future__ import annotations

import json
import signal
import threading
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from integrations.models import Alert
from integrations.services import heartbeats
from integrations.services.watching import note_outage, worst_open
from integrations.watch.conditions import Condition, Severity
from portal import mailing, watching

# As monitoring programs read them (Nagios and its kin).
WELL, WARNING, CRITICAL = 0, 1, 2
EXIT_CODES = {None: WELL, Severity.NOTICE: WELL, Severity.WARNING: WARNING, Severity.CRITICAL: CRITICAL}
DATABASE_AWAY = "The database does not answer: nothing is taken in and nothing is delivered."


class Command(BaseCommand):
    """Walks rounds until it is stopped, or one with --once."""

    help = "Watches worker, broker, database, systems, credentials and lanes; opens and closes alerts and tells people."

    def add_arguments(self, parser: CommandParser) -> None:
        """How often, how long, and in which form it speaks."""
        parser.add_argument("--every", type=float, default=30.0, metavar="SECONDS", help="between two rounds")
        parser.add_argument(
            "--once",
            action="store_true",
            help="one round; the exit code is 0 for well, 1 for a warning, 2 for critical",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a round")
        parser.add_argument(
            "--retire", action="store_true", help="expect no watcher any more, and end: closes its alert"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Watch.  Ends by SIGTERM or SIGINT after the round under way."""
        if options["retire"]:
            was_there = heartbeats.forget(heartbeats.WATCH)
            self.stdout.write("No watcher is expected any more." if was_there else "None was expected.")
            return
        stop = threading.Event()
        if not options["once"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        outage = watching.Outage(settings.DATA_DIR / "watch-database-away.json")
        while True:
            code = self._round(timezone.now(), outage, as_json=options["json"])
            if options["once"]:
                raise SystemExit(code)
            if stop.wait(options["every"]):
                return

    def _round(self, now: datetime, outage: watching.Outage, *, as_json: bool) -> int:
        try:
            heartbeats.beat(heartbeats.WATCH, now)
            if since := outage.since():
                # It is written down first: if that fails, the outage goes on.
                note_outage(Condition.DATABASE_AWAY, DATABASE_AWAY, since=since, now=now)
                outage.end()
            watching.walk(now, broker_answers=watching.broker_answers())
            alerts = list(Alert.objects.live().order_by("-severity", "since"))
        except DatabaseError as error:
            # A connection that broke is not mended by itself.
            connection.close()
            if outage.begin(now):
                mailing.tell_operators(DATABASE_AWAY, str(error), now)
            self._say_away(outage.since() or now, now, str(error), as_json=as_json)
            return CRITICAL
        self._say(alerts, now, as_json=as_json)
        return EXIT_CODES[worst_open(alerts)]

    def _say(self, alerts: list[Alert], now: datetime, *, as_json: bool) -> None:
        if as_json:
            rows = [
                {
                    "code": one.code,
                    "severity": one.get_severity_display().lower(),
                    "state": one.state,
                    "subject": one.subject,
                    "since": one.since.isoformat(timespec="seconds"),
                    "message": one.message,
                }
                for one in alerts
            ]
            self.stdout.write(json.dumps({"at": now.isoformat(timespec="seconds"), "alerts": rows}))
            return
        if not alerts:
            self.stdout.write(f"{now:%H:%M:%S} All is well.")
        for one in alerts:
            taken = ", in hand" if one.state == Alert.State.ACKNOWLEDGED else ""
            self.stdout.write(f"{now:%H:%M:%S} {one.get_severity_display()}{taken}: {one.message}")

    def _say_away(self, since: datetime, now: datetime, reason: str, *, as_json: bool) -> None:
        if as_json:
            row = {
                "code": Condition.DATABASE_AWAY.value,
                "severity": "critical",
                "state": "open",
                "subject": "portal",
                "since": since.isoformat(timespec="seconds"),
                "message": DATABASE_AWAY,
            }
            self.stdout.write(json.dumps({"at": now.isoformat(timespec="seconds"), "alerts": [row]}))
        else:
            lasted = timedelta(seconds=round((now - since).total_seconds()))
            self.stdout.write(f"{now:%H:%M:%S} Critical: {DATABASE_AWAY} For {lasted}. {reason.strip()}")
