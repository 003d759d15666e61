"""Alerts on the pages: who sees which, what one of them tells, and taking one in hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import Alert, Lane, SyncEvent, Ticket
from integrations.services import heartbeats
from knowledgebase.services import load_shipped
from portal.models import AuditEntry, MatrixCell, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

SILENT = "The worker is not running."


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    return scenes.matter(left, right, left_fields={}, right_fields={}, title="Charged twice")


@pytest.fixture
def alerts(matter: Matter) -> dict[str, Alert]:
    """One about the portal, one about Mercuri's system, one about Infinity's, one about what joins the two."""
    lanes = scenes.alert(matter.right.system, code="lanes_parked", message="1 lane waits.", severity=1)
    lanes.connection = matter.right.connection
    lanes.save()
    return {
        "portal": scenes.alert(code="worker_away", message="No worker runs.", severity=3),
        "mercuri": scenes.alert(matter.left.system, message="Mercuri fails."),
        "infinity": scenes.alert(matter.right.system, message="Infinity fails."),
        "lanes": lanes,
    }


def sign_in(client: Client, name: str, role: str, partner: Any = None) -> User:
    user = factories.make_user(name, role=role, partner=partner)
    client.force_login(user)
    return user


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


def shown(client: Client, **query: Any) -> list[str]:
    page = client.get(reverse("alert_list"), query).context["listing"].page
    return [alert.message for alert in page]


def test_staff_see_all_of_them_the_worst_first(client: Client, alerts: dict[str, Alert]) -> None:
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)

    assert shown(client) == ["No worker runs.", "Mercuri fails.", "Infinity fails.", "1 lane waits."]
    assert "No worker runs." in text(client, "home")


@pytest.mark.parametrize(
    ("whose", "seen"),
    [
        ("mercuri", ["Mercuri fails.", "1 lane waits."]),
        ("infinity", ["Infinity fails.", "1 lane waits."]),
        ("stranger", []),
    ],
)
def test_a_partners_people_see_what_is_theirs(
    client: Client, alerts: dict[str, Alert], whose: str, seen: list[str]
) -> None:
    sign_in(client, "max", Role.MAPPING_OWNER, getattr(factories, whose)())

    everything = shown(client, state="any")
    exported = b"".join(client.get(reverse("alert_export"))).decode()
    pages = [client.get(reverse("alert_detail", args=[one.pk])).status_code for one in alerts.values()]

    assert everything == seen
    assert [one.message for one in alerts.values() if one.message in exported] == sorted(
        seen, key=[one.message for one in alerts.values()].index
    )
    assert pages == [200 if one.message in seen else 404 for one in alerts.values()]


def test_an_agent_is_told_of_tickets_and_not_of_alerts(client: Client, alerts: dict[str, Alert]) -> None:
    sign_in(client, "ann", Role.PARTNER_AGENT, factories.mercuri())

    assert client.get(reverse("alert_list")).status_code == 403
    assert "Alerts" not in text(client, "home")


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"severity": "2"}, ["No worker runs.", "Mercuri fails.", "Infinity fails."]),
        ({"severity": "3"}, ["No worker runs."]),
        ({"code": "lanes_parked"}, ["1 lane waits."]),
        ({"q": "mercuri"}, ["Mercuri fails."]),
        ({"state": "closed"}, []),
        ({"sort": "severity"}, ["1 lane waits.", "Mercuri fails.", "Infinity fails.", "No worker runs."]),
    ],
)
def test_the_list_is_narrowed_and_sorted(
    client: Client, alerts: dict[str, Alert], query: dict[str, str], messages: list[str]
) -> None:
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)

    assert shown(client, **query) == messages


def test_the_list_is_narrowed_to_a_partner(client: Client, alerts: dict[str, Alert]) -> None:
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)

    assert shown(client, partner=factories.mercuri().pk) == ["Mercuri fails.", "1 lane waits."]


def test_an_alert_says_what_happens_next_and_which_lanes_it_means(
    client: Client, matter: Matter, alerts: dict[str, Alert]
) -> None:
    load_shipped()
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket, fields={"priority": "urgent"}))
    Lane.objects.filter(pk=matter.to_right.pk).update(state=Lane.State.PARKED, waits_since=NOW)
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)

    page = text(client, "alert_detail", alerts["lanes"].pk)

    assert "neither age nor the number of tries drops it" in page
    assert "Charged twice" in page
    assert reverse("delivery_list") + f"?connection={matter.right.connection_id}" in page


def test_an_alert_leads_to_both_tickets_that_were_made(client: Client, matter: Matter) -> None:
    load_shipped()
    linked = matter.right_ticket
    Ticket.objects.create(
        system=linked.system,
        remote_id="778",
        key="OPS-778",
        url="https://infinity.test/OPS-778",
        twin_of=linked,
        opened_at=timezone.now(),
    )
    alert = scenes.alert(linked.system, code="duplicate_twin", message="Made twice.")
    Ticket.objects.filter(pk=linked.pk).update(url="https://infinity.test/linked")
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)
    page = text(client, "alert_detail", alert.pk)

    assert 'href="https://infinity.test/OPS-778"' in page
    assert 'href="https://infinity.test/linked"' in page
    assert "<strong>close or delete the second one</strong>" in page
    assert f'href="{reverse("ticket_detail", args=[matter.linked.pk])}"' in page


def test_an_alert_leads_to_the_ticket_on_which_a_comment_stands_twice(client: Client, matter: Matter) -> None:
    ticket = matter.right_ticket
    Ticket.objects.filter(pk=ticket.pk).update(url="https://infinity.test/linked")
    event = scenes.seen(ticket)
    SyncEvent.objects.filter(pk=event.pk).update(
        is_double=True, seen_at=timezone.now(), comments=[{"id": "c1"}]
    )
    alert = scenes.alert(ticket.system, code="doubled_effect", message="Stands twice.")
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)
    page = text(client, "alert_detail", alert.pk)

    assert (
        'A comment on <a class="text-decoration-underline" href="https://infinity.test/linked"'
        in " ".join(page.split())
    )
    assert f'href="{reverse("ticket_detail", args=[matter.linked.pk])}"' in page


def test_an_alert_leads_only_to_linked_tickets_that_the_reader_may_open(
    client: Client, matter: Matter
) -> None:
    linked = matter.right_ticket
    Ticket.objects.create(
        system=linked.system, remote_id="778", twin_of=linked, opened_at=timezone.now(), title="Twin"
    )
    alert = scenes.alert(linked.system, code="duplicate_twin", message="Made twice.")
    sign_in(client, "ivan", Role.SERVICE_LEVEL_MANAGER, factories.infinity())
    MatrixCell.objects.create(role=Role.SERVICE_LEVEL_MANAGER, resource="tickets", level=0)

    page = text(client, "alert_detail", alert.pk)

    assert "Twin" in page
    assert reverse("ticket_detail", args=[matter.linked.pk]) not in page


def test_somebody_takes_it_in_hand(client: Client, alerts: dict[str, Alert]) -> None:
    user = sign_in(client, "max", Role.MAPPING_OWNER, factories.mercuri())
    alert = alerts["mercuri"]

    page = client.post(
        reverse("alert_acknowledge", args=[alert.pk]), {"reason": "Called their operator"}, follow=True
    )

    alert.refresh_from_db()
    entry = AuditEntry.objects.about(alert).get()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", user)
    assert "Called their operator" in page.content.decode()
    assert (entry.action, entry.changes, entry.partner) == (
        "acknowledged",
        {"reason": "Called their operator"},
        factories.mercuri(),
    )


def test_without_a_word_it_stays_open(client: Client, alerts: dict[str, Alert]) -> None:
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)

    answer = client.post(reverse("alert_acknowledge", args=[alerts["portal"].pk]), {"reason": " "})

    assert (answer.status_code, Alert.objects.get(pk=alerts["portal"].pk).state) == (422, "open")
    assert "Say what is done" in answer.content.decode()


def test_the_operators_are_told_whether_anybody_watches_from_outside(client: Client) -> None:
    hint = "Nobody watches from outside of the worker."
    sign_in(client, "max", Role.MAPPING_OWNER, factories.mercuri())
    for_mercuri = hint in text(client, "alert_list")
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)
    before = hint in text(client, "alert_list")
    heartbeats.beat(heartbeats.WATCH, timezone.now())
    after = text(client, "alert_list")

    assert (for_mercuri, before, hint in after) == (False, True, False)
    assert "Watched from outside of the worker, the last time" in after


# --- The banner and the bell ---


def test_every_page_says_that_no_worker_runs(client: Client, alerts: dict[str, Alert]) -> None:
    sign_in(client, "ines", Role.INTEGRATOR_STAFF)
    names = ("home", "ticket_list", "partner_list", "alert_list", "handbook_list", "member_list")

    before = [SILENT in text(client, name) for name in names]
    heartbeats.beat(heartbeats.TICK, timezone.now())
    after = [SILENT in text(client, name) for name in names]

    assert (set(before), set(after)) == ({True}, {False})


def test_the_bell_counts_what_nobody_has_in_hand(client: Client, alerts: dict[str, Alert]) -> None:
    heartbeats.beat(heartbeats.TICK, timezone.now())
    Alert.objects.filter(pk=alerts["infinity"].pk).update(state=Alert.State.ACKNOWLEDGED)

    sign_in(client, "ines", Role.INTEGRATOR_STAFF)
    for_staff = client.get(reverse("handbook_list")).context["background"].open_alerts
    sign_in(client, "max", Role.MAPPING_OWNER, factories.mercuri())
    for_mercuri = client.get(reverse("handbook_list")).context["background"].open_alerts

    assert (for_staff, for_mercuri) == (3, 2)


# --- /health ---


@pytest.mark.parametrize(
    ("tick_s", "sweep_s", "watch_s", "status", "wrong"),
    [
        (1, 1, 1, 200, []),
        (1, 1, None, 200, []),
        (1, 1, 3600, 200, ["watch"]),
        (90, 1, None, 503, ["worker"]),
        (1, 600, None, 503, ["sweep"]),
        (None, None, None, 503, ["worker", "sweep"]),
    ],
)
def test_health_is_what_a_monitor_outside_asks(
    client: Client,
    tick_s: int | None,
    sweep_s: int | None,
    watch_s: int | None,
    status: int,
    wrong: list[str],
) -> None:
    for part, age_s in (("tick", tick_s), ("sweep", sweep_s), ("watch", watch_s)):
        if age_s is not None:
            heartbeats.beat(part, timezone.now() - timedelta(seconds=age_s))

    answer = client.get("/health")

    body = answer.json()
    assert answer.status_code == status
    assert body["status"] == ("ok" if status == 200 else "failing")
    assert [name for name, part in body["checks"].items() if not part["ok"]] == wrong
