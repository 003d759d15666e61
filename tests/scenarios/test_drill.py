"""A system is away while people go on working: afterwards its signed record shows that everything arrived in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from integrations.models import Lane, System, Ticket
from integrations.signatures import Signer
from integrations.store.tickets import note_hints
from portal.drill import run
from portal.models import Drill
from tests.scenarios.test_pairs import Field, opened

ROOT = Path(__file__).resolve().parents[2]
MOST_S = 240
# The shortest that the settings allow: a write whose outcome is unknown is looked at again sooner.
IMPATIENT = {"SYNC_LANE_LEASE_S": "20", "SYNC_REQUEST_TIMEOUT_S": "5"}

PAIRS = [
    ("zendesk", "jira"),
    ("jira", "servicenow"),
    ("servicenow", "azure_devops"),
    ("azure_devops", "zendesk"),
]


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def work(places: Field) -> None:
    """Let the worker do what is due; what waits for a better moment is due at once."""
    for place in places.places.values():
        # The benches' clocks stand still unless somebody moves them.
        place.desk.clock.advance(1)
    System.objects.update(paused_until=None)
    Lane.objects.filter(waits=True, state=Lane.State.READY).update(next_at=timezone.now())
    Ticket.objects.filter(read_due_at__isnull=False).update(read_due_at=timezone.now())
    places.worker.drain(for_s=30, linger_s=0)


def hint_all(places: Field) -> None:
    """Tell of every ticket there is, as web hooks do that arrive whatever happens."""
    for place in places.places.values():
        for ticket in place.desk.sandbox.tickets():
            note_hints(place.system.pk, [f"{place.desk.case.prefix}{ticket['id']}"], timezone.now())


def carried_out(places: Field, drill: Drill) -> Drill:
    """The drill after its last step; its own time passes by the step, not by the clock."""
    now: datetime = drill.asked_at
    # More than enough turns for the pauses that a system asks for, which pass by the real clock.
    for _ in range(1000):
        run.run_due(now, only_ours=False)
        drill.refresh_from_db()
        if drill.is_over:
            return drill
        hint_all(places)
        work(places)
        now += timedelta(seconds=2)
    stuck = Lane.objects.filter(waits=True).values_list("state", "failure_code", "failure_message", "next_at")
    due = Ticket.objects.filter(read_due_at__isnull=False).values_list("key", "read_due_at", "read_failures")
    pytest.fail(f"the drill does not end: {drill.state}; {list(stuck)}; {list(due)}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_every_system_is_caught_up_with_after_it_was_down(left: str, right: str) -> None:
    with opened(left, right) as places:
        connection = places.join(left, right)
        drill = Drill.objects.create(
            # What people do is drawn by the key, which does not begin again at 1 on PostgreSQL.
            pk=1,
            connection=connection,
            stopped_system=places[right].system,
            how=Drill.How.DOWN,
            outage_s=10,
            tickets=2,
            changes=25,
        )

        record = carried_out(places, drill).record

        verdict = record["document"]["verdict"]
        assert {name: verdict[name] for name in ("tickets", "equal", "lost", "doubled", "out_of_order")} == {
            "tickets": 2,
            "equal": 2,
            "lost": 0,
            "doubled": 0,
            "out_of_order": 0,
        }, [event for ticket in record["document"]["tickets"] for event in ticket["events"]]
        assert verdict["holds"]
        assert verdict["events"] >= 20
        assert Signer(django_settings.CREDENTIAL_KEYS).is_ours(record)


def test_real_processes_pass_a_drill(tmp_path: Path) -> None:
    given = ("PATH", "HOME", "LANG", "TZ")
    environment = {name: os.environ[name] for name in given if name in os.environ}
    file = tmp_path / "record.json"
    command = [sys.executable, "manage.py", "drill", "--alone", "--outage-s", "6"]

    outcome = subprocess.run(
        [*command, "--record", str(file)],
        cwd=ROOT,
        env={**environment, **IMPATIENT, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=MOST_S,
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    record = json.loads(file.read_text())
    assert record["document"]["verdict"]["holds"]
    # The record is proof without the portal that made it, whose keys are gone with its place.
    verified = subprocess.run(
        [sys.executable, "manage.py", "verify", str(file), "--key", record["signature"]["fingerprint"]],
        cwd=ROOT,
        env={**environment, "CONCORD_TEST": "1"},
        capture_output=True,
        text=True,
        timeout=MOST_S,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
