"""Mail about alerts: who gets which, put together how, and what happens when the mail server does not take it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from smtplib import SMTPException
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from integrations.models import Alert, System
from integrations.services import alerts, heartbeats
from portal import access, mailing, watching
from portal.models import AlertMail, AlertSubscription, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
OPERATORS = ["operators@infinity.example"]


@pytest.fixture
def matter() -> Matter:
    """A matter whose systems are called Mercuri Zendesk and Infinity Jira, and a worker that runs."""
    left, right = scenes.mercuri_and_infinity()
    made = scenes.matter(left, right, left_fields={}, right_fields={})
    alive(NOW)
    return made


def alive(at: datetime) -> None:
    for part in (heartbeats.TICK, heartbeats.SWEEP):
        heartbeats.beat(part, at)
    System.objects.update(polled_at=at)


def walk(minutes: float, *, is_alive: bool = True) -> None:
    at = NOW + timedelta(minutes=minutes)
    if is_alive:
        alive(at)
    watching.walk(at)


def fail(system: System, streak: int = 5) -> None:
    System.objects.filter(pk=system.pk).update(fail_streak=streak)


def subscriber(name: str, role: str, partner: Any = None, **wishes: Any) -> User:
    user = factories.make_user(name, role=role, partner=partner, email=f"{name}@example.com")
    AlertSubscription.objects.create(user=user, **wishes)
    return user


def sent() -> list[tuple[str, str]]:
    """Whom each mail went to, and its subject."""
    return [(", ".join(one.to), one.subject) for one in mail.outbox]


def test_who_asked_for_it_is_told_when_it_opens_and_when_it_closes(matter: Matter) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF)
    factories.make_user("ivan", role=Role.INTEGRATOR_STAFF, email="ivan@example.com")
    fail(matter.right.system)
    for minutes in (0, 1, 2):
        walk(minutes)
    fail(matter.right.system, 0)
    for minutes in (3, 4, 6, 7):
        walk(minutes)

    sentence = "Infinity Jira does not answer as it should. Its changes are collected."
    assert sent() == [
        ("ines@example.com", f"Concord: warning: {sentence}"),
        ("ines@example.com", f"Concord: closed: {sentence}"),
    ]


def test_a_mail_says_since_when_and_leads_to_the_page(matter: Matter) -> None:
    user = subscriber("ines", Role.INTEGRATOR_STAFF)
    User.objects.filter(pk=user.pk).update(time_zone="Europe/Berlin")
    fail(matter.right.system)
    walk(0)

    address = reverse("alert_detail", args=[Alert.objects.get().pk])
    assert mail.outbox[0].body.startswith(
        "Warning: Infinity Jira does not answer as it should. Its changes are collected.\n"
        "Since 23 Nov 2026, 13:00 CET.\n"
        f"http://localhost:8000{address}\n"
    )


@pytest.mark.parametrize(
    ("whose", "systems"),
    [("mercuri", ["Mercuri Zendesk"]), ("infinity", ["Infinity Jira"]), ("stranger", [])],
)
def test_a_partners_people_are_not_told_of_the_others(matter: Matter, whose: str, systems: list[str]) -> None:
    subscriber("max", Role.MAPPING_OWNER, getattr(factories, whose)())
    fail(matter.left.system)
    fail(matter.right.system)
    walk(0)
    walk(10, is_alive=False)

    assert [subject.split(" does")[0] for _, subject in sent()] == [
        f"Concord: warning: {name}" for name in systems
    ]


def test_a_right_that_was_taken_away_before_the_mail_left_is_respected(matter: Matter) -> None:
    user = subscriber("max", Role.MAPPING_OWNER, factories.mercuri(), manner="hourly")
    fail(matter.left.system)
    walk(0)
    access.revoke(user, Role.MAPPING_OWNER, factories.mercuri())
    walk(61)

    assert (sent(), AlertMail.objects.filter(sent_at=None).count()) == ([], 0)


@pytest.mark.parametrize(
    ("chosen", "systems"),
    [
        ({}, {"Mercuri Zendesk", "Infinity Jira"}),
        ({"partners": "mercuri"}, {"Mercuri Zendesk"}),
        ({"systems": "Infinity Jira"}, {"Infinity Jira"}),
        ({"partners": "mercuri", "systems": "Infinity Jira"}, {"Mercuri Zendesk", "Infinity Jira"}),
    ],
)
def test_people_choose_partners_and_systems(
    matter: Matter, chosen: dict[str, str], systems: set[str]
) -> None:
    subscription = subscriber("ines", Role.INTEGRATOR_STAFF).alert_subscription
    if "partners" in chosen:
        subscription.partners.add(getattr(factories, chosen["partners"])())
    if "systems" in chosen:
        subscription.systems.add(System.objects.get(name=chosen["systems"]))
    fail(matter.left.system)
    fail(matter.right.system)
    walk(0)

    told = "\n".join(one.body for one in mail.outbox)
    assert {name for name in ("Mercuri Zendesk", "Infinity Jira") if name in told} == systems


@pytest.mark.parametrize(("minimum", "count"), [(1, 1), (2, 1), (3, 0)])
def test_people_choose_from_which_severity(matter: Matter, minimum: int, count: int) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF, min_severity=minimum)
    fail(matter.left.system)
    walk(0)

    assert len(mail.outbox) == count


def test_a_storm_is_one_mail(matter: Matter) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF)
    fail(matter.left.system)
    fail(matter.right.system)
    walk(0)

    [(_to, subject)] = sent()
    assert (
        subject == "Concord: 2 alerts: Infinity Jira does not answer as it should. Its changes are collected."
    )
    assert "Mercuri Zendesk does not answer" in mail.outbox[0].body


def test_a_digest_waits_and_tells_how_things_stand_by_then(matter: Matter) -> None:
    ines = subscriber("ines", Role.INTEGRATOR_STAFF, manner="hourly", critical_at_once=False)
    fail(matter.left.system)
    walk(5)
    alerts.acknowledge(Alert.objects.get(), "On the phone", by=ines, now=NOW)
    walk(59)
    before = sent()
    walk(60)

    assert before == []
    assert "ines has it in hand: On the phone" in mail.outbox[0].body
    assert len(mail.outbox) == 1


def test_quiet_hours_end_in_the_persons_own_zone(matter: Matter) -> None:
    user = subscriber("ines", Role.INTEGRATOR_STAFF, quiet_from=time(12), quiet_until=time(14))
    User.objects.filter(pk=user.pk).update(time_zone="Europe/Berlin")
    fail(matter.left.system)
    walk(0)
    walk(59)
    before = sent()
    walk(60)

    assert (before, len(mail.outbox)) == ([], 1)


def test_what_gets_critical_meanwhile_does_not_wait_for_the_digest(matter: Matter) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF, manner="daily")
    fail(matter.left.system)
    walk(0)
    walk(60)

    assert [subject.split(":")[1].strip() for _, subject in sent()] == ["critical"]


def test_the_operators_hear_of_a_dead_worker_without_a_subscription(matter: Matter, settings: Any) -> None:
    settings.ALERT_MAIL_TO = OPERATORS
    fail(matter.left.system)
    walk(2, is_alive=False)

    assert sent() == [
        (
            "operators@infinity.example",
            "Concord: critical: No worker runs: nothing is read and nothing is delivered.",
        )
    ]


def test_the_operators_hear_of_a_database_that_is_away(settings: Any) -> None:
    settings.ALERT_MAIL_TO = OPERATORS

    was_sent = mailing.tell_operators("The database does not answer.", "connection refused", NOW)

    assert (was_sent, sent()) == (
        True,
        [("operators@infinity.example", "Concord: The database does not answer.")],
    )


def test_without_a_mail_server_nothing_is_kept(matter: Matter, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = False
    subscriber("ines", Role.INTEGRATOR_STAFF)
    fail(matter.left.system)
    walk(0)

    assert (sent(), AlertMail.objects.count()) == ([], 0)


def test_mail_that_is_not_taken_is_tried_again_and_becomes_an_alert_itself(
    matter: Matter, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF)
    fail(matter.left.system)

    def refuse(*_: Any, **__: Any) -> None:
        raise SMTPException("Relay denied")

    with monkeypatch.context() as patch:
        patch.setattr(mailing, "send_mail", refuse)
        for minutes in range(17):
            walk(minutes)
    tried = AlertMail.objects.get(alert__code="system_failing")
    codes = set(Alert.objects.values_list("code", flat=True))
    walk(48)

    assert (tried.tries, tried.problem) == (5, "SMTPException: Relay denied")
    assert codes == {"system_failing", "mail_failing"}
    assert "Mercuri Zendesk does not answer" in mail.outbox[0].body


def test_two_who_send_at_once_send_once(matter: Matter, monkeypatch: pytest.MonkeyPatch) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF)
    fail(matter.left.system)
    original = mailing.send_mail

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        # The other watcher comes by while this one is on the line.
        monkeypatch.setattr(mailing, "send_mail", original)
        mailing.send_due(NOW + MINUTE)
        original(*args, **kwargs)

    monkeypatch.setattr(mailing, "send_mail", meanwhile)
    walk(0)

    assert len(mail.outbox) == 1


def test_a_slow_mail_server_holds_up_no_round_and_the_next_one_goes_on(
    matter: Matter, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber("ines", Role.INTEGRATOR_STAFF)
    subscriber("ivan", Role.INTEGRATOR_STAFF)
    fail(matter.left.system)
    with monkeypatch.context() as patch:
        patch.setattr(mailing, "ROUND_S", -1.0)
        walk(0)
    first = sent()
    walk(1)

    assert (first, len(mail.outbox)) == ([], 2)


# --- The pages ---


def choose(client: Client, **values: Any) -> Any:
    asked = {"is_on": "on", "min_severity": "2", "manner": "at_once", "digest_at": "08:00", **values}
    return client.post(reverse("account_alerts"), asked)


def test_people_choose_for_themselves(client: Client, matter: Matter) -> None:
    user = factories.make_user(
        "max", role=Role.MAPPING_OWNER, partner=factories.mercuri(), email="m@x.example"
    )
    client.force_login(user)

    answer = choose(client, systems=[matter.left.system_id], quiet_from="22:00", quiet_until="07:00")

    stored = AlertSubscription.objects.get(user=user)
    assert answer.status_code == 302
    assert list(stored.systems.all()) == [matter.left.system]
    assert (stored.quiet_from, stored.quiet_until) == (time(22), time(7))


@pytest.mark.parametrize(
    ("email", "values", "complaint"),
    [
        ("", {}, "Your account has no mail address yet."),
        ("m@x.example", {"quiet_from": "22:00"}, "Quiet hours need a beginning and an end."),
        ("m@x.example", {"systems": ["other"]}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: Client, matter: Matter, email: str, values: dict[str, Any], complaint: str
) -> None:
    user = factories.make_user("max", role=Role.MAPPING_OWNER, partner=factories.mercuri(), email=email)
    client.force_login(user)
    if "systems" in values:
        values = {"systems": [matter.right.system_id]}

    answer = choose(client, **values)

    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not AlertSubscription.objects.filter(user=user).exists()


def test_a_test_mail_goes_to_oneself(client: Client) -> None:
    client.force_login(factories.make_user("ines", role=Role.INTEGRATOR_STAFF, email="ines@example.com"))

    client.post(reverse("account_alerts_test"))

    assert sent() == [("ines@example.com", "Concord: test")]


def test_the_days_on_which_credentials_run_out_are_entered_and_counted(
    client: Client, matter: Matter
) -> None:
    system = matter.left.system
    client.force_login(factories.make_user("max", role=Role.MAPPING_OWNER, partner=factories.mercuri()))

    client.post(reverse("system_expiry", args=[system.pk]), {"api_token": "2999-12-31"})

    page = client.get(reverse("system_detail", args=[system.pk])).content.decode()
    assert "until 31 Dec 2999" in page
    assert "entered the last days of" in page
