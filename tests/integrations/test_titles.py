"""Titles in their own table: the database keeps them, and finds words in them by an index."""

from __future__ import annotations

import pytest
from django.db import connection

from integrations.models import Ticket, TicketTitle
from portal.benchmark import existing
from tests import factories
from tests.costs import noted

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket() -> Ticket:
    return Ticket.objects.create(
        system=factories.make_system(), remote_id="1", title="Straße closed, parcel 42"
    )


def found(words: str) -> list[int]:
    return list(TicketTitle.objects.containing(words).values_list("pk", flat=True))


def test_a_new_title_is_found_by_any_three_letters_of_it(ticket: Ticket) -> None:
    for words in ("closed", "LOSED, PAR", "cel 42", "straße", "d, "):
        assert found(words) == [ticket.pk], words
    for words in ("parcels", "closed parcel", 'closed" OR "x', "%", "clo%ed", "cl", ""):
        assert found(words) == [], words


def test_a_title_that_changes_is_found_by_its_new_words(ticket: Ticket) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(title="Refund is late")

    assert (found("parcel"), found("refund")) == ([], [ticket.pk])


def test_a_title_that_comes_later_is_found(ticket: Ticket) -> None:
    late = Ticket.objects.create(system=ticket.system, remote_id="2")
    known_before = TicketTitle.objects.filter(pk=late.pk).exists()

    Ticket.objects.filter(pk=late.pk).update(title="Voucher is refused")

    assert (known_before, found("voucher")) == (False, [late.pk])
    assert TicketTitle.objects.get(pk=late.pk).system_id == late.system_id


def test_a_ticket_that_goes_takes_its_title_along(ticket: Ticket) -> None:
    ticket.delete()

    assert (found("parcel"), TicketTitle.objects.count()) == ([], 0)


def test_a_change_that_leaves_the_title_alone_writes_none(ticket: Ticket) -> None:
    TicketTitle.objects.update(title="Kept as it is")

    Ticket.objects.filter(pk=ticket.pk).update(title=ticket.title, version=2)

    assert TicketTitle.objects.get().title == "Kept as it is"


def test_words_are_looked_up_and_titles_not_gone_through() -> None:
    existing.fill(factories.make_connection(), 500)
    existing.remember_sizes()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Of so few it would look at each; whether it could do otherwise is the question.
            cursor.execute("SET LOCAL enable_seqscan = off")

    with noted() as asked:
        assert len(found("(order ")) == 1000

    index = {"postgresql": "ticket_title_words", "sqlite": "VIRTUAL TABLE INDEX"}[connection.vendor]
    assert index in asked[-1].plan
