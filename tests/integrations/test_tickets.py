"""Pausing one matter, and having both systems read again."""

from __future__ import annotations

import pytest

from integrations.models import LinkedTicket, Ticket
from integrations.services.tickets import Answer, pause_ticket, resume_ticket, synchronise_now
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

PAUSED = "Paused. Changes on both sides are collected and travel when it is resumed."
RESUMED = "Resumed. What was collected is delivered now, in order."


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    return scenes.matter(left, right, left_fields={}, right_fields={})


def test_a_paused_matter_is_resumed(matter: Matter) -> None:
    linked = matter.linked

    assert pause_ticket(linked) == Answer(True, PAUSED)
    linked.refresh_from_db()
    assert linked.state == "paused"
    assert resume_ticket(linked) == Answer(True, RESUMED)
    linked.refresh_from_db()
    assert linked.state == "active"


def test_what_somebody_else_did_meanwhile_is_said(matter: Matter) -> None:
    LinkedTicket.objects.update(state="ended")
    nothing = Answer(False, "Nothing to do: it is ended.")

    assert (pause_ticket(matter.linked), resume_ticket(matter.linked)) == (nothing, nothing)
    assert LinkedTicket.objects.get().state == "ended"


def test_both_tickets_are_due_for_reading_at_once(matter: Matter) -> None:
    assert synchronise_now(matter.linked, now=NOW) == Answer(True, "Both systems are asked now.")
    assert set(Ticket.objects.values_list("stale_since", "read_due_at")) == {(NOW, NOW)}


def test_a_ticket_that_is_gone_is_not_asked_for(matter: Matter) -> None:
    Ticket.objects.filter(pk=matter.right_ticket.pk).update(is_gone=True)
    one = Answer(True, "The one system that has the ticket is asked now.")
    none = Answer(False, "There is no ticket to read: it is gone on both sides.")

    assert synchronise_now(matter.linked, now=NOW) == one
    assert Ticket.objects.get(pk=matter.right_ticket.pk).read_due_at is None
    Ticket.objects.update(is_gone=True)
    assert synchronise_now(matter.linked, now=NOW) == none
