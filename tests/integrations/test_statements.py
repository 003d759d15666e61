"""Statements written once give what the ORM's own give, whatever the values and however many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from integrations.models import HookReceipt, System, Ticket
from integrations.statements import Order, Question, insert_many, insert_new, update_many, upsert_many
from tests.factories import make_system

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def system() -> System:
    return make_system()


@pytest.fixture
def tickets(system: System) -> list[Ticket]:
    rows = [
        Ticket(system=system, remote_id=str(number), actual={"n": [number, None]}, changed_at=AT)
        for number in range(7)
    ]
    insert_many(rows)
    return rows


by_number = Question(
    lambda numbers, at: Ticket.objects.filter(remote_id__in=numbers, changed_at__lte=at).order_by("pk")
)
some = Question(
    lambda keys, limit: Ticket.objects.filter(pk__in=keys).order_by("-pk").values_list("pk", "actual")[:limit]
)
raise_version = Order(
    lambda keys, at: (Ticket.objects.filter(pk__in=keys), {"version": F("version") + 1, "read_at": at})
)


def test_rows_that_are_stored_have_their_keys_and_read_back_the_same(tickets: list[Ticket]) -> None:
    assert [
        (row.pk, row.remote_id, row.actual, row.changed_at, row.winners)
        for row in Ticket.objects.order_by("pk")
    ] == [(row.pk, row.remote_id, {"n": [number, None]}, AT, {}) for number, row in enumerate(tickets)]


@pytest.mark.parametrize("count", range(8))
def test_a_list_of_any_length_finds_its_rows_and_no_others(tickets: list[Ticket], count: int) -> None:
    numbers = [row.remote_id for row in tickets[:count]]

    assert by_number(numbers=numbers, at=AT) == tickets[:count]


def test_each_run_binds_its_own_values(tickets: list[Ticket]) -> None:
    assert by_number(numbers=["1", "2"], at=AT) == tickets[1:3]
    assert by_number(numbers=["3", "4"], at=AT) == tickets[3:5]
    assert by_number(numbers=["3", "4"], at=AT - timedelta(microseconds=1)) == []


def test_whatever_a_text_holds_is_stored_as_it_is(tickets: list[Ticket], system: System) -> None:
    texts = [
        "",
        "NULL",
        "null",
        '"',
        "\\",
        '\\"',
        "{a,b}",
        "a, b",
        " spaced ",
        "two\nlines",
        "ünïcode 🙂",
        "%s %",
        "'",
    ]
    values = [{"text": text, "more": [text, {text: None}]} for text in texts]
    rows = [
        Ticket(system=system, remote_id=f"text {number}", title=text, actual=value, is_gone=True)
        for number, (text, value) in enumerate(zip(texts, values, strict=True))
    ]

    insert_many(rows)
    update_many(Ticket, ("key", "winners"), [(row.pk, (row.title, row.actual)) for row in rows])

    stored = (
        Ticket.objects.filter(is_gone=True).order_by("pk").values_list("title", "actual", "key", "winners")
    )
    assert list(stored) == [(text, value) * 2 for text, value in zip(texts, values, strict=True)]


def test_a_member_of_choices_is_stored_as_its_value_and_nothing_as_nothing(tickets: list[Ticket]) -> None:
    update_many(System, ("state", "polled_at"), [(tickets[0].system_id, (System.State.STOPPED, None))])

    assert list(System.objects.values_list("state", "polled_at")) == [("stopped", None)]


def test_of_a_row_that_is_named_twice_the_last_values_count(tickets: list[Ticket]) -> None:
    update_many(
        Ticket, ("version",), [(tickets[pk].pk, (version,)) for pk, version in ((0, 1), (1, 2), (0, 3))]
    )

    assert list(Ticket.objects.order_by("pk").values_list("version", flat=True))[:3] == [3, 2, 0]


def test_objects_and_tuples_come_with_their_fields_converted(tickets: list[Ticket]) -> None:
    found = by_number(numbers=["5"], at=AT)[0]

    assert (found.actual, found.changed_at, found.is_gone) == ({"n": [5, None]}, AT, False)
    assert some(keys=[row.pk for row in tickets], limit=2) == [
        (tickets[6].pk, {"n": [6, None]}),
        (tickets[5].pk, {"n": [5, None]}),
    ]


def test_nothing_asked_for_costs_no_query(tickets: list[Ticket], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert some(keys=[tickets[0].pk], limit=0) == []
        assert some(keys=[], limit=3) == []
        assert raise_version(keys=[], at=AT) == 0
        update_many(Ticket, ("title",), [])
        insert_many([])


def test_an_order_changes_the_rows_it_means_and_says_how_many(tickets: list[Ticket]) -> None:
    keys = [tickets[1].pk, tickets[2].pk, tickets[4].pk]

    assert raise_version(keys=keys, at=AT) == 3
    assert list(Ticket.objects.order_by("pk").values_list("version", "read_at")) == [
        (1, AT) if number in (1, 2, 4) else (0, None) for number in range(7)
    ]


def test_a_truth_value_is_refused_because_its_place_could_not_be_found(tickets: list[Ticket]) -> None:
    with pytest.raises(TypeError):
        Question(lambda gone: Ticket.objects.filter(is_gone=gone))(gone=True)


def test_many_rows_are_stored_piece_by_piece(system: System) -> None:
    rows = [Ticket(system=system, remote_id=str(number)) for number in range(450)]

    insert_many(rows)

    assert list(Ticket.objects.order_by("pk").values_list("pk", "remote_id")) == [
        (row.pk, str(number)) for number, row in enumerate(rows)
    ]


def test_doubles_are_left_as_they_were(tickets: list[Ticket], system: System) -> None:
    insert_many(
        [Ticket(system=system, remote_id=number, title="again") for number in ("6", "7")],
        ignores_doubles=True,
    )

    assert dict(Ticket.objects.values_list("remote_id", "title")) == {
        **{str(number): "" for number in range(7)},
        "7": "again",
    }


def test_of_new_and_known_rows_the_new_ones_are_told(system: System) -> None:
    def receipts(*names: str) -> list[HookReceipt]:
        return [HookReceipt(system=system, delivery_id=name, received_at=AT) for name in names]

    assert insert_new(receipts("a", "b"), ("system_id", "delivery_id")) == {
        (system.pk, "a"),
        (system.pk, "b"),
    }
    assert insert_new(receipts("b", "c"), ("system_id", "delivery_id")) == {(system.pk, "c")}


def test_a_row_with_a_known_key_gets_the_new_values(tickets: list[Ticket], system: System) -> None:
    upsert_many(
        [Ticket(system=system, remote_id=number, title="new", version=3) for number in ("6", "7")],
        key=("system", "remote_id"),
    )

    rows = Ticket.objects.filter(version=3).order_by("remote_id")
    assert [(row.remote_id, row.title, row.pk == tickets[6].pk) for row in rows] == [
        ("6", "new", True),
        ("7", "new", False),
    ]
