"""`manage.py watch`: what it finds without a worker, how it ends, and what it does without a database."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.core import mail
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from integrations.models import Alert, Heartbeat
from integrations.services import heartbeats
from portal import tasks, watching
from tests.integrations import scenes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path


def once(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and output of one round."""
    with pytest.raises(SystemExit) as ended:
        call_command("watch", "--once", *arguments)
    return int(ended.value.code or 0), capsys.readouterr().out


def alive() -> None:
    for part in (heartbeats.TICK, heartbeats.SWEEP):
        heartbeats.beat(part, timezone.now())


def test_a_monitor_reads_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    alive()
    well = once(capsys)
    scenes.alert(severity=2)
    warned = once(capsys)
    Heartbeat.objects.filter(name="tick").update(at=timezone.now() - timedelta(minutes=5))
    critical = once(capsys)

    assert (well[0], warned[0], critical[0]) == (0, 1, 2)
    assert well[1].endswith("All is well.\n")
    assert "Critical: No worker runs: nothing is read and nothing is delivered." in critical[1]


def test_what_somebody_has_in_hand_fails_no_monitor(capsys: pytest.CaptureFixture[str]) -> None:
    alive()
    scenes.alert(severity=3, state=Alert.State.ACKNOWLEDGED)

    code, told = once(capsys, "--json")

    assert (code, [one["state"] for one in json.loads(told)["alerts"]]) == (0, ["acknowledged"])


def test_it_leaves_a_sign_of_life_and_the_worker_notices_when_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alive()
    once(capsys)
    tasks.watch()
    before = list(Alert.objects.values_list("code", flat=True))
    Heartbeat.objects.filter(name="watch").update(at=timezone.now() - timedelta(minutes=20))
    tasks.watch()
    after = list(Alert.objects.values_list("code", "state"))

    assert (before, after) == ([], [("watch_away", "open")])


def test_a_watcher_that_was_retired_is_not_missed(capsys: pytest.CaptureFixture[str]) -> None:
    alive()
    once(capsys)
    call_command("watch", "--retire")
    call_command("watch", "--retire")
    tasks.watch()

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "No watcher is expected any more.",
        "None was expected.",
    ]
    assert (Heartbeat.objects.filter(name="watch").count(), Alert.objects.count()) == (0, 0)


def test_a_broker_that_is_away_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    alive()
    monkeypatch.setattr(watching, "app", Celery(broker="redis://127.0.0.1:1/0"))

    code, _ = once(capsys)

    assert (code, list(Alert.objects.values_list("code", flat=True))) == (2, ["broker_away"])


def test_an_outage_of_the_database_is_told_at_once_and_written_down_afterwards(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any, settings: Any
) -> None:
    alive()
    settings.ALERT_MAIL_TO = ["operators@infinity.example"]

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(heartbeats, "beat", away)
        patch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.close", lambda self: None)
        first = once(capsys)
        second = once(capsys, "--json")
    told = [one.subject for one in mail.outbox]
    began = watching.Outage(settings.DATA_DIR / "watch-database-away.json").since()
    alive()
    back = once(capsys)
    once(capsys)

    sentence = "The database does not answer: nothing is taken in and nothing is delivered."
    # Once while it lasts, from memory alone, and once when it is over.
    assert told == [f"Concord: {sentence}"]
    assert [one.subject for one in mail.outbox[1:]] == [f"Concord: closed: {sentence}"]
    assert (first[0], second[0], back[0]) == (2, 2, 0)
    assert "Critical: The database does not answer" in first[1]
    assert [one["code"] for one in json.loads(second[1])["alerts"]] == ["database_away"]
    [alert] = Alert.objects.all()
    assert (alert.code, alert.state, alert.opened_at) == ("database_away", "closed", began)
