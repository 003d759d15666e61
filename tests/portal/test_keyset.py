"""Paging by key: every row once, forwards and backwards, whatever is added meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.models import LinkedTicket
from portal.keyset import KeyPage, key_page
from tests.integrations import scenes
from tests.integrations.scenes import NOW

pytestmark = pytest.mark.django_db

LATEST = ("-updated_at", "-pk")


@pytest.fixture
def keys() -> list[int]:
    """Seven linked tickets, the latest change first; three of them at the same moment."""
    left, right = scenes.mercuri_and_infinity()
    minutes = [0, 1, 2, 2, 2, 3, 4]
    made = [
        scenes.matter(left, right, number=number, at=NOW + timedelta(minutes=minute))
        for number, minute in enumerate(minutes)
    ]
    return [one.linked.pk for one in reversed(made)]


def page(token: str = "", order: tuple[str, ...] = LATEST, size: int = 3) -> KeyPage:
    return key_page(LinkedTicket.objects.all(), order, token, size)


def shown(found: KeyPage) -> list[int]:
    return [one.pk for one in found.rows]


def test_pages_follow_one_another_and_lead_back(keys: list[int]) -> None:
    first = page()
    second = page(first.next)
    third = page(second.next)
    back = page(third.previous)

    assert [shown(one) for one in (first, second, third, back)] == [keys[:3], keys[3:6], keys[6:], keys[3:6]]
    assert (first.previous, third.next) == ("", "")
    assert shown(page(back.previous)) == keys[:3]
    assert page(back.previous).previous == ""


def test_the_order_can_run_the_other_way_and_by_one_column(keys: list[int]) -> None:
    ascending = page(order=("updated_at", "pk"))
    by_key = page(order=("pk",))

    assert shown(ascending) == keys[::-1][:3]
    assert shown(page(ascending.next, order=("updated_at", "pk"))) == keys[::-1][3:6]
    assert shown(page(by_key.next, order=("pk",))) == sorted(keys)[3:6]


def test_a_row_that_is_added_meanwhile_moves_nothing(keys: list[int]) -> None:
    first = page()
    linked = LinkedTicket.objects.get(pk=keys[0])
    linked.pk, linked.updated_at = None, NOW + timedelta(hours=1)
    linked.save()

    assert shown(page(first.next)) == keys[3:6]
    # The way back leads over the new one.
    assert page(page(first.next).previous).previous


@pytest.mark.parametrize(
    "token",
    ["x", "n", "n_1", "n_yesterday_3", "n_2026-11-23T12:00:00+00:00_x", "n_2026-99-99_1", "z_2026-11-23_1"],
)
def test_a_token_that_is_not_understood_leads_to_the_first_page(keys: list[int], token: str) -> None:
    assert shown(page(token)) == keys[:3]


def test_a_page_whose_rows_are_gone_is_empty(keys: list[int]) -> None:
    assert page("n_2000-01-01T00:00:00+00:00_1") == KeyPage()


def test_a_page_is_one_query(keys: list[int], django_assert_num_queries: Any) -> None:
    token = page().next
    with django_assert_num_queries(1):
        page(token)
