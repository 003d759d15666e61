"""On PostgreSQL one text serves every run: lists are arrays, what never changes stands in it, and it is prepared once."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, InternalError, connection, transaction

from integrations.models import Lane, Ticket
from integrations.statements import Question, insert_many, update_many
from integrations.statements.cursors import rows_of
from integrations.statements.places import for_any_values
from integrations.statements.postgres import PLANS_KEPT_S, array, bound, column, literal
from tests.costs import cost_of
from tests.factories import make_system

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def any_values(statement: str, params: list[Any], lists: list[list[Any]]) -> tuple[str, list[Any]]:
    return for_any_values(
        statement, params, lists, is_given=lambda param: param in (7, AT), array=array, literal=literal
    )


def test_a_list_is_one_array_and_what_is_given_keeps_its_place() -> None:
    statement = "SELECT 1 FROM t WHERE id IN (%s, %s) AND at <= %s AND name IN (%s, %s)"

    assert any_values(statement, [1, 2, AT, "a", "b"], [[1, 2], ["a", "b"]]) == (
        "SELECT 1 FROM t WHERE id = ANY(%s::bigint[]) AND at <= %s AND name = ANY(%s)",
        [[1, 2], AT, ["a", "b"]],
    )


def test_what_never_changes_stands_in_the_text_where_a_partial_index_can_be_seen_to_fit() -> None:
    statement = "SELECT 1 FROM t WHERE state = %s AND waits = %s AND part IS %s AND n = %s"

    assert any_values(statement, ["50% o'clock", True, None, 7], []) == (
        "SELECT 1 FROM t WHERE state = '50%% o''clock' AND waits = true AND part IS NULL AND n = %s",
        [7],
    )


def test_a_truth_value_is_not_taken_for_the_number_it_equals() -> None:
    assert any_values("SELECT %s, x IN (%s, %s)", [True, 1, 2], [[1, 2]]) == (
        "SELECT true, x = ANY(%s::bigint[])",
        [[1, 2]],
    )


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        ("SELECT '%%s' WHERE n = %s", [7]),
        ("SELECT COALESCE(%s, %s)", [1, 2]),
    ],
)
def test_what_cannot_be_told_apart_is_refused(statement: str, params: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"place for a value|with __in alone"):
        any_values(statement, params, [[1, 2]])


def test_every_number_is_bound_as_the_same_type_and_a_list_of_them_as_an_array() -> None:
    assert [type(bound(number)) for number in (1, 70_000, 5_000_000_000)] == [type(bound(1))] * 3
    assert bound([1, 70_000]) == "{1,70000}"
    assert (bound("x"), bound(True), bound(None), bound(["x"])) == ("x", True, None, ["x"])


@pytest.mark.django_db
def test_a_question_is_the_same_text_for_any_number_of_keys_beyond_one_and_names_what_it_always_asks_for() -> (
    None
):
    question = Question(
        lambda keys: Lane.objects.filter(pk__in=keys, waits=True, state=Lane.State.READY).values_list("pk")
    )
    for keys in ([1], [1, 2, 3], range(1, 40)):
        question(keys=keys)

    texts = [one.sql().partition("WHERE ")[2] for one in question._written.values()]
    lane = '"integrations_lane"'
    one, several = f'({lane}."id" IN (%s)', f'({lane}."id" IN (SELECT value FROM json_each(%s))'
    if connection.vendor == "postgresql":
        several = f'({lane}."id" = ANY(%s::bigint[])'
        assert [text.partition(" AND ")[2] for text in texts] == [
            f'{lane}."state" = \'ready\' AND {lane}."waits")'
        ] * 2
    assert [text.partition(" AND ")[0] for text in texts] == [one, several]


@pytest.mark.django_db
def test_the_server_prepares_what_runs_again_once_whatever_the_values() -> None:
    system = make_system()
    rows = [Ticket(system=system, remote_id=str(number)) for number in range(20)]
    insert_many(rows)
    by_key = Question(lambda keys, at: Ticket.objects.filter(pk__in=keys, changed_at__lte=at).order_by("pk"))

    for count in range(1, 20):
        update_many(
            Ticket, ("changed_at", "event_count"), [(one.pk, (AT, count * 40_000)) for one in rows[:count]]
        )
        assert by_key(keys=[one.pk for one in rows], at=AT) == rows[:count]

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY statement")
            kept = [text for (text,) in cursor.fetchall()]
        numbered = next(iter(by_key._written.values())).sql().replace("%s", "$1", 1).replace("%s", "$2")
        assert [text for text in kept if '"changed_at" <= ' in text] == [numbered]
        assert [text for text in kept if '"event_count" = ' in text] == [
            'UPDATE "integrations_ticket" SET "changed_at" = new."changed_at", "event_count" = new."event_count" '
            "FROM unnest($1::bigint[], $2::timestamp with time zone[], $3::integer[]) "
            'AS new(id, "changed_at", "event_count") WHERE "integrations_ticket".id = new.id'
        ]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_opened_anew_is_asked_like_the_one_before_which_nobody_holds_any_more() -> None:
    by_key = Question(lambda keys: Ticket.objects.filter(pk__in=keys))
    by_key(keys=[1])
    # SQLite's connections cannot be looked after like this, and keep no cursor.
    before = weakref.ref(connection.connection) if connection.vendor == "postgresql" else lambda: None

    connection.close()
    rows = [Ticket(system=make_system(), remote_id="1")]
    insert_many(rows)

    assert by_key(keys=[rows[0].pk]) == rows
    gc.collect()
    assert before() is None


@pytest.mark.django_db
def test_a_plan_that_was_made_while_a_table_was_small_is_not_kept_while_it_fills() -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE filling (name text PRIMARY KEY)")
        cursor.execute("INSERT INTO filling VALUES ('0')")
        # A table of one row is gone through whatever is asked.
        cursor.execute("ANALYZE filling")
    for _ in range(10):
        rows_of("SELECT 1 FROM filling WHERE name = %s", ["0"])
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO filling SELECT generate_series(1, 20000)::text")

    assert cost_of(lambda: rows_of("SELECT 1 FROM filling WHERE name = %s", ["7"])) >= 20000
    connection.binding_cursor.plans_renewed_at -= PLANS_KEPT_S  # type: ignore[attr-defined]
    assert cost_of(lambda: rows_of("SELECT 1 FROM filling WHERE name = %s", ["7"])) < 10


@pytest.mark.django_db
def test_no_run_is_planned_for_its_values_not_even_where_a_transaction_took_the_setting_back() -> None:
    if connection.vendor != "postgresql":
        return
    by_key = Question(lambda keys: Ticket.objects.filter(pk__in=keys))
    # Not prepared before anywhere else: its text is known by this name alone.
    by_name = Question(lambda names: Ticket.objects.filter(title__in=names, remote_id="planned once"))
    with transaction.atomic():
        by_key(keys=[1])
        transaction.set_rollback(True)
    connection.binding_cursor.plans_renewed_at -= PLANS_KEPT_S  # type: ignore[attr-defined]

    for count in range(2, 12):
        by_name(names=[str(number) for number in range(count)])

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans > 0, custom_plans FROM pg_prepared_statements WHERE strpos(statement, 'planned once') > 0"
        )
        assert cursor.fetchall() == [(True, 0)]


@pytest.mark.django_db
def test_a_statement_after_one_that_failed_is_told_the_reason_and_not_of_the_plans() -> None:
    if connection.vendor != "postgresql":
        return
    by_key = Question(lambda keys: Ticket.objects.filter(pk__in=keys))
    by_key(keys=[1])
    connection.binding_cursor.plans_renewed_at -= PLANS_KEPT_S  # type: ignore[attr-defined]

    def ask_after_a_failure() -> None:
        with transaction.atomic():
            with pytest.raises(DataError), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            by_key(keys=[1])

    with pytest.raises(InternalError, match="current transaction is aborted"):
        ask_after_a_failure()
    assert by_key(keys=[1]) == []


@pytest.mark.django_db
def test_what_is_too_long_for_its_column_is_refused_and_not_cut() -> None:
    rows = [Ticket(system=make_system(), remote_id="1")]
    insert_many(rows)
    if connection.vendor != "postgresql":
        return

    with pytest.raises(DataError), transaction.atomic():
        update_many(Ticket, ("title",), [(rows[0].pk, ("x" * 301,))])
    with pytest.raises(DataError), transaction.atomic():
        insert_many([Ticket(system=rows[0].system, remote_id="2", title="x" * 301)])


def test_what_has_no_text_in_an_array_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes cannot stand in an array"):
        column([b"x"])
