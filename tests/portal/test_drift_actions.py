"""Exceptions and bulk decisions about drift: listed, taken back, shown first and done one by one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Delivery, Drift, Ticket
from integrations.services import drift as service
from portal import drift_actions
from portal.models import AuditEntry, DriftAction, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matters() -> list[Matter]:
    """Three links whose priority did not arrive at Infinity."""
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority")
    scenes.publish(left, "outgoing", {"priority": ("priority", {"urgent": "critical"})})
    scenes.publish(right, "incoming", {"priority": ("priority", {"critical": "Highest"})})
    found = [
        scenes.matter(
            left, right, number=n, left_fields={"priority": "urgent"}, right_fields={"priority": "Low"}
        )
        for n in (1, 2, 3)
    ]
    for one in found:
        drifted(one)
    return found


def drifted(matter: Matter, **values: Any) -> Drift:
    value = {
        "versions": [0, 0],
        "own": "priority",
        "into": "priority",
        "held": "urgent",
        "released": {"priority": "critical"},
        "outgoing": None,
    }
    given = {"expected": "Highest", "found": "Low", "value": value, **values}
    return scenes.drifted(matter, "Priority", **given)


@pytest.fixture
def rosa(client: Client) -> User:
    user = factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)
    client.force_login(user)
    return user


def body(client: Client, name: str, *args: int, **query: Any) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def chosen(client: Client, act: str, **data: Any) -> DriftAction:
    """The action as it is shown before anything is done."""
    answer = client.post(reverse("drift_act"), {"action": act, **data})
    action = DriftAction.objects.latest("pk")
    assert answer["Location"] == reverse("drift_action", args=[action.pk])
    return action


def run(client: Client, action: DriftAction, **data: Any) -> Any:
    return client.post(reverse("drift_action_run", args=[action.pk]), data, follow=True)


def states() -> list[str]:
    return list(Drift.objects.order_by("pk").values_list("state", flat=True))


def outcomes(action: DriftAction) -> list[tuple[str, str]]:
    return list(action.items.order_by("pk").values_list("outcome", "message"))


def test_what_a_repair_of_many_would_write_is_shown_and_nothing_is_done_yet(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    action = chosen(client, "repair", scope="all", kind="field")

    page = body(client, "drift_action", action.pk)
    assert action.narrowed == "Kind: Field"
    assert "<strong>3</strong> at Infinity Jira" in page
    assert page.count("in place of “Low”") == 3
    assert (states(), Delivery.objects.count()) == (["open"] * 3, 0)


def test_many_are_repaired_within_rights_and_known_one_by_one(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    action = chosen(client, "repair", scope="all")
    # The second was edited after it was compared, the third looks otherwise than it did when it was chosen.
    third = Drift.objects.order_by("pk")[2]
    Ticket.objects.filter(pk=matters[1].left_ticket.pk).update(version=1)
    Drift.objects.filter(pk=third.pk).update(found="Medium")

    page = run(client, action)

    assert outcomes(action) == [
        ("done", "The repair waits in its lane."),
        ("left", "A ticket has changed since it was compared. Reconcile it again first."),
        ("left", "It has changed since it was chosen. Look at it anew."),
    ]
    assert states() == ["queued", "open", "open"]
    assert Delivery.objects.get().lane == matters[0].to_right
    assert [entry.action for entry in AuditEntry.objects.about(Drift.objects.order_by("pk")[0])] == [
        "repaired"
    ]
    assert "3 of 3 differences" in " ".join(page.content.decode().split())


def test_an_action_that_was_interrupted_goes_on_where_it_stopped(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    action = chosen(client, "repair", scope="all")

    assert not drift_actions.carry_on(rosa, action, now=NOW, step=1)
    assert states() == ["queued", "open", "open"]
    assert "did not come to its end" in body(client, "drift_list")
    run(client, action)

    assert (states(), Delivery.objects.count()) == (["queued"] * 3, 3)
    run(client, action)
    assert Delivery.objects.count() == 3


def test_many_are_accepted_with_one_reason_and_none_without(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    keys = list(Drift.objects.order_by("pk").values_list("pk", flat=True)[:2])
    action = chosen(client, "accept", drifts=keys)

    assert run(client, action, reason=" ").status_code == 422
    assert states() == ["open"] * 3
    run(client, action, reason="The board keeps its own")

    assert states() == ["accepted", "accepted", "open"]
    page = body(client, "drift_exceptions")
    assert page.count("The board keeps its own") == 2
    assert "rosa" in page.lower()


def test_exceptions_are_taken_back_in_the_list_and_on_their_page(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    for drift in Drift.objects.all():
        service.accept(drift, "Agreed", by=rosa, now=NOW)
    first = Drift.objects.order_by("pk")[0]

    client.post(reverse("drift_revoke", args=[first.pk]))
    action = chosen(client, "revoke", scope="all")
    run(client, action)

    assert states() == ["open"] * 3
    assert outcomes(action) == [("done", "It counts as drift again.")] * 2
    assert [one.action for one in AuditEntry.objects.about(first)] == ["revoked"]
    assert "No exceptions" in body(client, "drift_exceptions")


def test_exceptions_as_a_file_say_why_by_whom_and_when(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    service.accept(Drift.objects.order_by("pk")[0], "Agreed", by=rosa, now=NOW)

    response = client.get(reverse("drift_exceptions_export"))

    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert lines[1].split(",")[3] == "Priority"
    assert lines[1].split(",")[11:13] == ["Agreed", str(rosa)]


def test_the_certificate_says_which_exceptions_hold_and_since_when(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    drift = Drift.objects.order_by("pk")[0]
    service.accept(drift, "Agreed by telephone", by=rosa, now=NOW)

    page = body(client, "ticket_certificate", drift.linked_ticket_id)

    assert "Both sides agree" in page
    assert f"ccepted on {NOW:%Y-%m-%d %H:%M} UTC by {rosa}: Agreed by telephone" in page
    assert reverse("drift_detail", args=[drift.pk]) in page


def test_an_exception_that_lapsed_shows_what_was_said_of_it(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    drift = Drift.objects.order_by("pk")[0]
    service.accept(drift, "Agreed by telephone", by=rosa, now=NOW)
    Drift.objects.filter(pk=drift.pk).update(state="open", needs_a_person=True)

    page = body(client, "drift_detail", drift.pk)

    assert "and a value has changed since." in page
    assert "Agreed by telephone" in page


def test_the_sender_learns_that_there_is_an_exception_and_not_why(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    drift = Drift.objects.order_by("pk")[0]
    service.accept(drift, "Their Low is fine", by=rosa, now=NOW)
    client.force_login(factories.make_user("olga", role=Role.MAPPING_OWNER, partner=factories.mercuri()))

    pages = [
        body(client, "drift_exceptions"),
        body(client, "drift_detail", drift.pk),
        body(client, "ticket_certificate", drift.linked_ticket_id),
    ]

    assert all("Priority" in page for page in pages)
    assert not any("Their Low" in page or str(rosa) in page for page in pages)


def test_somebody_elses_action_and_anothers_tickets_stay_out_of_reach(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    action = chosen(client, "repair", scope="all")
    stranger = factories.make_user(
        "sten", role=Role.MAPPING_OWNER, partner=factories.make_partner("Stranger Ltd")
    )
    client.force_login(stranger)

    assert run(client, action).status_code == 404
    keys = list(Drift.objects.values_list("pk", flat=True))
    own = chosen(client, "repair", drifts=keys)

    assert own.items.count() == 0
    assert "Nothing is left to decide" in body(client, "drift_action", own.pk)
    assert states() == ["open"] * 3


def test_nothing_chosen_is_told(client: Client, rosa: User, matters: list[Matter]) -> None:
    answer = client.post(reverse("drift_act"), {"action": "repair"}, follow=True)

    assert "Choose at least one difference." in answer.content.decode()


def test_what_no_write_can_mend_is_not_offered_for_repair(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    Drift.objects.order_by("pk").filter(linked_ticket=matters[0].linked).update(reason="visibility")

    assert chosen(client, "repair", scope="all").items.count() == 2
    assert chosen(client, "accept", scope="all").items.count() == 3


def test_a_difference_is_compared_again_from_its_own_page(
    client: Client, rosa: User, matters: list[Matter]
) -> None:
    drift = Drift.objects.order_by("pk")[0]
    address = reverse("ticket_reconcile", args=[drift.linked_ticket_id])

    assert address in body(client, "drift_detail", drift.pk)
    Drift.objects.filter(pk=drift.pk).update(state="closed", closed_at=NOW)
    assert address not in body(client, "drift_detail", drift.pk)
