"""`manage.py reconcile`: compare both sides of every linked ticket now, and tell what was found."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.models import Connection, Drift, LinkedTicket, Reconciliation
from integrations.services import reconciliation

# One spell of work between two lines of progress.
SPELL_S = 5.0


class Command(BaseCommand):
    """Does the work in this process, beside the workers; Ctrl-C leaves the rest to them."""

    help = "Compare both sides of linked tickets as their systems hold them now. Writes nothing unless told to repair."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--connection", type=int, help="only this connection's tickets, by its number")
        parser.add_argument("--ticket", type=int, help="only this linked ticket, by its number (LT-12 is 12)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Begin the runs, or join those that are under way; exits 1 when drift is open at the end."""
        runs = list(self._begun(options))
        while open_runs := list(
            Reconciliation.objects.filter(pk__in=[run.pk for run in runs], state=Reconciliation.State.RUNNING)
        ):
            for run in open_runs:
                self.stdout.write(f"{run.scope}: {run.done} of {run.total}")
            if not reconciliation.carry_on(for_s=SPELL_S):
                time.sleep(1)
        self._tell(runs)

    def _begun(self, options: dict[str, Any]) -> list[Reconciliation]:
        now = timezone.now()
        if key := options["ticket"]:
            linked = LinkedTicket.objects.filter(pk=key).first()
            if linked is None:
                raise CommandError(f"There is no linked ticket LT-{key}.")
            run = reconciliation.reconcile_ticket(linked, by=None, now=now)
            return [run or Reconciliation.objects.get(linked_ticket=linked, state="running")]
        connections = Connection.objects.exclude(state=Connection.State.DRAFT)
        if key := options["connection"]:
            connections = connections.filter(pk=key)
            if not connections:
                raise CommandError(f"There is no connection {key} that carries tickets.")
        return [
            reconciliation.reconcile_connection(one, by=None, now=now)
            or Reconciliation.objects.get(connection=one, state="running")
            for one in connections
        ]

    def _tell(self, runs: list[Reconciliation]) -> None:
        for run in Reconciliation.objects.filter(pk__in=[run.pk for run in runs]):
            self.stdout.write(
                f"{run.scope}: {run.compared} compared, {run.differing} differ, {run.repaired} repairs queued, "
                f"{run.unread} could not be compared."
            )
        found = Drift.objects.open()
        if one := next((run for run in runs if run.linked_ticket_id), None):
            found = found.filter(linked_ticket=one.linked_ticket_id)
        else:
            found = found.filter(connection__in=[run.connection_id for run in runs])
        for drift in found.select_related("linked_ticket", "target__system")[:50]:
            self.stdout.write(
                f"  {drift.linked_ticket}: {drift.label} in {drift.target.system}: {drift.get_reason_display()}"
            )
        if found.exists():
            raise CommandError(f"{found.count()} things differ without a reason in the rules.")
