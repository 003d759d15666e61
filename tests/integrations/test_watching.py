"""The watch on the database: conditions become alerts, one each, and close by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from integrations.events import AlertNews, alert_told
from integrations.models import Alert, Connection, Lane, System, SystemFinding, SystemSecret
from integrations.services import alerts, heartbeats
from integrations.services.refusals import NotPossible
from integrations.services.systems import SystemData, change_system, set_expiry
from integrations.services.watching import watch
from tests import factories
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def matter() -> Matter:
    """A linked ticket whose systems are well, and a worker that runs."""
    left, right = scenes.mercuri_and_infinity()
    made = scenes.matter(left, right, left_fields={}, right_fields={})
    System.objects.update(polled_at=NOW)
    alive()
    return made


@pytest.fixture
def told() -> Iterator[list[tuple[str, str]]]:
    """What is told of alerts, in order."""
    heard: list[tuple[str, str]] = []

    def hear(sender: Any, alert: Alert, news: AlertNews, **_: Any) -> None:
        heard.append((alert.code, news.value))

    alert_told.connect(hear)
    yield heard
    alert_told.disconnect(hear)


def alive(at: datetime = NOW) -> None:
    for part in (heartbeats.TICK, heartbeats.SWEEP):
        heartbeats.beat(part, at)
    System.objects.update(polled_at=at)


def codes() -> list[tuple[str, str]]:
    return list(Alert.objects.order_by("pk").values_list("code", "state"))


def park(lane: Lane, *, since: datetime) -> None:
    Lane.objects.filter(pk=lane.pk).update(state=Lane.State.PARKED, waits=True, waits_since=since)


def test_nothing_is_opened_while_all_is_well(matter: Matter, told: list) -> None:
    watch(now=NOW)

    assert (codes(), told) == ([], [])


def test_a_dead_worker_is_one_alert_however_often_one_looks(matter: Matter, told: list) -> None:
    for minutes in range(2, 30):
        watch(now=NOW + minutes * MINUTE)

    assert (codes(), told) == ([("worker_away", "open")], [("worker_away", "opened")])
    assert Alert.objects.get().since == NOW


def test_it_closes_by_itself_once_the_worker_has_been_back_for_a_while(matter: Matter, told: list) -> None:
    watch(now=NOW + 5 * MINUTE)
    alive(NOW + 6 * MINUTE)
    watch(now=NOW + 6 * MINUTE)
    still = codes()
    alive(NOW + 8 * MINUTE)
    watch(now=NOW + 8 * MINUTE)

    alert = Alert.objects.get()
    assert still == [("worker_away", "open")]
    assert (alert.state, alert.closed_at) == ("closed", NOW + 8 * MINUTE)
    assert told == [("worker_away", "opened"), ("worker_away", "closed")]


def test_what_flaps_rings_once(matter: Matter, told: list) -> None:
    for minutes in range(2, 42, 2):
        watch(now=NOW + minutes * MINUTE)
        alive(NOW + minutes * MINUTE)
        watch(now=NOW + minutes * MINUTE)

    assert (codes(), told) == ([("worker_away", "open")], [("worker_away", "opened")])


def test_after_it_closed_the_same_condition_is_a_new_alert(matter: Matter) -> None:
    watch(now=NOW + 5 * MINUTE)
    for minutes in (6, 9):
        alive(NOW + minutes * MINUTE)
        watch(now=NOW + minutes * MINUTE)
    watch(now=NOW + 20 * MINUTE)

    assert codes() == [("worker_away", "closed"), ("worker_away", "open")]


def test_parked_lanes_ring_at_15_minutes_1_hour_and_24_hours_and_are_still_there(
    matter: Matter, told: list
) -> None:
    park(matter.to_right, since=NOW)
    seen = []
    for minutes in (14, 15, 59, 60, 23 * 60, 24 * 60, 100 * 24 * 60):
        now = NOW + minutes * MINUTE
        alive(now)
        watch(now=now)
        seen.append(list(Alert.objects.values_list("stage", "severity")))

    assert seen == [[], [(1, 1)], [(1, 1)], [(2, 2)], [(2, 2)], [(3, 3)], [(3, 3)]]
    assert told == [("lanes_parked", news) for news in ("opened", "worsened", "worsened")]
    lane = Lane.objects.get(pk=matter.to_right.pk)
    assert (lane.state, lane.waits, list(alerts.lanes_of(Alert.objects.get()))) == ("parked", True, [lane])


def test_an_alert_names_the_receiver_as_the_other_company_knows_it(matter: Matter) -> None:
    System.objects.filter(pk=matter.right.system_id).update(name="secret-name")
    park(matter.to_right, since=NOW - timedelta(hours=2))
    watch(now=NOW)

    alert = Alert.objects.get()
    assert alert.message == "1 lane to Jira of Infinity Solutions waits for a person."
    assert (alert.connection, alert.system) == (matter.left.connection, matter.right.system)


def test_lanes_to_a_paused_connection_wait_because_somebody_wants_it(matter: Matter) -> None:
    Lane.objects.filter(pk=matter.to_right.pk).update(waits=True, waits_since=NOW - timedelta(hours=2))
    Connection.objects.update(state=Connection.State.PAUSED)

    watch(now=NOW)

    assert codes() == []


def test_acknowledging_holds_until_it_gets_worse(matter: Matter, told: list) -> None:
    park(matter.to_right, since=NOW)
    ines = factories.make_user("ines")
    alive(NOW + 20 * MINUTE)
    watch(now=NOW + 20 * MINUTE)
    was_open = alerts.acknowledge(Alert.objects.get(), "Asked Infinity", by=ines, now=NOW)
    again = alerts.acknowledge(Alert.objects.get(), "Me too", by=ines, now=NOW)
    watch(now=NOW + 21 * MINUTE)
    held = codes()
    alive(NOW + 60 * MINUTE)
    watch(now=NOW + 60 * MINUTE)

    assert (was_open, again) == (True, False)
    assert (held, codes()) == ([("lanes_parked", "acknowledged")], [("lanes_parked", "open")])
    assert told == [("lanes_parked", "opened"), ("lanes_parked", "worsened")]


def test_without_a_word_it_is_not_acknowledged(matter: Matter) -> None:
    alert = scenes.alert()

    with pytest.raises(NotPossible, match="Say what is done"):
        alerts.acknowledge(alert, "  ", by=None, now=NOW)


def test_a_system_that_fails_gets_worse_with_its_own_age(matter: Matter, told: list) -> None:
    System.objects.filter(pk=matter.left.system_id).update(fail_streak=5, failed_at=NOW)
    for minutes in (0, 59, 60):
        alive(NOW + minutes * MINUTE)
        watch(now=NOW + minutes * MINUTE)

    alert = Alert.objects.get()
    assert (alert.code, alert.since, alert.severity) == ("system_failing", NOW, 3)
    assert told == [("system_failing", "opened"), ("system_failing", "worsened")]


def test_a_finding_about_web_hooks_is_told_until_somebody_looks_after_it(matter: Matter) -> None:
    finding = SystemFinding.objects.create(
        system=matter.left.system,
        code="hook_silent",
        label="Web hooks",
        grade="look",
        message="Changes were found by asking that no web hook told of",
        found_at=NOW,
    )
    watch(now=NOW)
    first = list(Alert.objects.values_list("code", "state", "message"))
    SystemFinding.objects.filter(pk=finding.pk).update(state=SystemFinding.State.ACKNOWLEDGED)
    for minutes in (1, 3):
        alive(NOW + minutes * MINUTE)
        watch(now=NOW + minutes * MINUTE)

    name = matter.left.system.name
    told = f"{name}: Changes were found by asking that no web hook told of."
    assert first == [("hook_silent", "open", told)]
    assert codes() == [("hook_silent", "closed")]


def test_the_broker_is_left_alone_by_those_who_did_not_ask_it(matter: Matter) -> None:
    watch(now=NOW, broker_answers=False)
    alive(NOW + 3 * MINUTE)
    for minutes in (3, 6):
        alive(NOW + minutes * MINUTE)
        watch(now=NOW + minutes * MINUTE)
    unasked = codes()
    for minutes in (7, 10):
        alive(NOW + minutes * MINUTE)
        watch(now=NOW + minutes * MINUTE, broker_answers=True)

    assert (unasked, codes()) == ([("broker_away", "open")], [("broker_away", "closed")])


# --- Credentials that run out ---


def test_reminders_come_at_30_14_7_and_1_days_and_on_the_day(matter: Matter, told: list) -> None:
    system = matter.left.system
    assert set_expiry(system, "api_token", (NOW + timedelta(days=31)).date())
    days = []
    for day in range(33):
        before = len(told)
        alive(NOW + timedelta(days=day))
        watch(now=NOW + timedelta(days=day))
        if len(told) > before:
            days.append(31 - day)

    assert days == [30, 14, 7, 1, 0]


def test_entering_the_same_day_again_is_no_news(matter: Matter) -> None:
    system, day = matter.left.system, NOW.date()

    answers = [set_expiry(system, "api_token", one) for one in (day, day, None, None)]

    assert answers == [True, False, True, False]
    assert set_expiry(system, "no such credential", day) is False


def test_a_credential_that_is_replaced_loses_its_day(matter: Matter) -> None:
    system = matter.left.system
    set_expiry(system, "api_token", NOW.date())
    data = SystemData(
        name=system.name,
        base_url=system.base_url,
        settings=system.settings,
        secrets={"api_token": "another-token-0123456789"},
    )

    change_system(system, data)

    assert SystemSecret.objects.get(system=system, name="api_token").expires_on is None
