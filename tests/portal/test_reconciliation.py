"""Pages of reconciliation: drift with what would be written, runs with their progress, and certificates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, Delivery, Drift, Reconciliation, Ticket
from integrations.services.certificates import signer
from portal.models import AuditEntry, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority", status="Status")
    scenes.publish(left, "outgoing", {"title": "subject", "priority": ("priority", {"urgent": "critical"})})
    scenes.publish(right, "incoming", {"summary": "title", "priority": ("priority", {"critical": "Highest"})})
    return scenes.matter(
        left,
        right,
        left_fields={"subject": "one", "priority": "urgent"},
        right_fields={"summary": "one", "priority": "Low"},
    )


@pytest.fixture
def drift(matter: Matter) -> Drift:
    return scenes.drifted(
        matter,
        "Priority",
        expected="Highest",
        found="Low",
        value={
            "versions": [0, 0],
            "own": "priority",
            "into": "priority",
            "held": "urgent",
            "released": {"priority": "critical"},
            "outgoing": None,
        },
    )


@pytest.fixture
def rosa(client: Client) -> User:
    """Infinity's integrator."""
    user = factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)
    client.force_login(user)
    return user


def body(client: Client, name: str, *args: int, **query: Any) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_list_says_what_would_be_written_in_place_of_what(
    client: Client, rosa: User, drift: Drift
) -> None:
    page = body(client, "drift_list")

    assert "Priority" in page
    assert "Did not arrive" in page
    assert "Highest" in page
    assert "in place of “Low”" in page


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 1),
        ({"state": "closed"}, 0),
        ({"state": "any"}, 1),
        ({"kind": "comment"}, 0),
        ({"reason": "not_there"}, 1),
        ({"q": "prior"}, 1),
        ({"q": "nothing"}, 0),
    ],
)
def test_the_list_is_narrowed(
    client: Client, rosa: User, drift: Drift, query: dict[str, str], count: int
) -> None:
    response = client.get(reverse("drift_list"), query)

    assert len(response.context["rows"]) == count


def test_the_list_as_a_file(client: Client, rosa: User, drift: Drift) -> None:
    response = client.get(reverse("drift_export"))

    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[1].split(",")[:10] == [
        f"LT-{drift.linked_ticket_id}",
        drift.connection.name,
        "Field",
        "Priority",
        "Did not arrive",
        "Zendesk of Mercuri Inc",
        "Jira of Infinity Solutions",
        "Highest",
        "Low",
        "Open",
    ]


def test_a_repair_is_an_ordinary_delivery_with_its_cause_and_leaves_a_trail(
    client: Client, rosa: User, drift: Drift, matter: Matter
) -> None:
    client.post(reverse("drift_repair", args=[drift.pk]))

    delivery = Delivery.objects.get()
    assert (delivery.lane, delivery.operation, delivery.state) == (matter.to_right, "update", "new")
    assert delivery.envelope == {"fields": {"priority": "critical"}, "changed": ["priority"]}
    assert delivery.origin.startswith("reconcile:")
    drift.refresh_from_db()
    assert (drift.state, drift.repair, drift.decided_by) == ("queued", delivery, rosa)
    assert AuditEntry.objects.about(drift).get().action == "repaired"
    page = body(client, "drift_detail", drift.pk)
    assert reverse("delivery_detail", args=[delivery.pk]) in page


def test_a_repair_is_refused_in_a_sentence_when_the_ticket_has_changed(
    client: Client, rosa: User, drift: Drift, matter: Matter
) -> None:
    Ticket.objects.filter(pk=matter.left_ticket.pk).update(version=1)

    response = client.post(reverse("drift_repair", args=[drift.pk]), follow=True)

    assert "has changed since it was compared" in response.content.decode()
    assert (Delivery.objects.count(), AuditEntry.objects.about(drift).count()) == (0, 0)


def test_it_is_accepted_with_a_reason_only(client: Client, rosa: User, drift: Drift) -> None:
    refused = client.post(reverse("drift_accept", args=[drift.pk]), {"reason": " "})
    client.post(reverse("drift_accept", args=[drift.pk]), {"reason": "Agreed by telephone"})

    assert refused.status_code == 422
    drift.refresh_from_db()
    assert (drift.state, drift.closed_because) == ("accepted", "Agreed by telephone")


def test_the_partner_whose_side_it_is_not_learns_which_field_and_no_value(
    client: Client, drift: Drift
) -> None:
    client.force_login(factories.make_user("olga", role=Role.MAPPING_OWNER, partner=factories.mercuri()))

    pages = [body(client, "drift_list"), body(client, "drift_detail", drift.pk)]

    assert all("Priority" in page for page in pages)
    assert not any("Highest" in page or "“Low”" in page for page in pages)


def test_a_run_is_asked_for_shown_with_its_progress_and_stopped(
    client: Client, rosa: User, matter: Matter
) -> None:
    connection = matter.left.connection
    client.post(reverse("connection_reconcile", args=[connection.pk]))
    again = client.post(reverse("connection_reconcile", args=[connection.pk]), follow=True)

    run = Reconciliation.objects.get()
    assert (run.connection, run.total, run.asked_by) == (connection, 1, rosa)
    assert "under way already" in again.content.decode()
    part = client.get(reverse("drift_list"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "0 of 1" in part
    client.post(reverse("reconciliation_stop", args=[run.pk]))
    run.refresh_from_db()
    assert run.state == "stopped"


def test_a_ticket_and_a_system_are_reconciled_from_their_own_pages(
    client: Client, rosa: User, matter: Matter
) -> None:
    client.post(reverse("ticket_reconcile", args=[matter.linked.pk]))
    client.post(reverse("system_reconcile", args=[matter.left.system_id]))

    scopes = {(run.linked_ticket_id, run.system_id, run.total) for run in Reconciliation.objects.all()}
    assert scopes == {(matter.linked.pk, None, 1), (None, matter.left.system_id, 1)}
    assert "are being read and compared" in body(client, "ticket_certificate", matter.linked.pk)


def test_the_policy_of_a_connection_is_changed_with_a_trail(client: Client, matter: Matter) -> None:
    client.force_login(factories.make_user("ada", role=Role.ADMINISTRATOR))
    connection = matter.left.connection

    client.post(reverse("connection_drift_policy", args=[connection.pk]), {"drift_policy": "repair"})

    assert Connection.objects.get(pk=connection.pk).drift_policy == "repair"
    assert AuditEntry.objects.about(connection).get().changes == {
        "drift": ["Ask before it repairs", "Repair by itself"]
    }
    assert "Repair by itself" in body(client, "connection_detail", connection.pk)


def test_the_certificate_is_shown_and_handed_over_signed(client: Client, rosa: User, drift: Drift) -> None:
    linked = drift.linked_ticket
    page = body(client, "ticket_certificate", linked.pk)
    assert "1 thing differs without a reason in the rules" in page
    assert signer().fingerprints[0] in page
    assert "Redacted by the sender's rules" in page.replace("&#x27;", "'")

    # Also where the page has only refreshed itself since it was opened.
    part = client.get(reverse("ticket_certificate", args=[linked.pk]), headers={"HX-Request": "true"})
    assert reverse("ticket_certificate_file", args=[linked.pk]) in part.content.decode()
    response = client.get(reverse("ticket_certificate_file", args=[linked.pk]))

    signed = json.loads(response.content)
    assert signer().is_ours(signed)
    assert signed["document"]["linked_ticket"] == linked.number
    assert signed["document"]["as_of"] == NOW.isoformat(timespec="seconds")
    assert (signed["document"]["agrees"], len(signed["document"]["drift"])) == (False, 1)


def test_a_partners_certificate_tells_nothing_of_the_other_sides_rules(client: Client, drift: Drift) -> None:
    client.force_login(factories.make_user("raj", role=Role.PARTNER_AGENT, partner=factories.infinity()))

    page = body(client, "ticket_certificate", drift.linked_ticket_id)

    assert "Not kept in step by the rules" in page
    assert "Redacted" not in page
    assert "internal" not in page.lower()
