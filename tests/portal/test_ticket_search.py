"""Searching the list of linked tickets: what is found is what the reader may read, few or many."""

from __future__ import annotations

import pytest

from integrations.models import Ticket
from portal import ticket_search
from portal.models import User
from portal.tickets import Criteria, count_up_to, find_all
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matters() -> list[Matter]:
    """Three matters that both sides call differently."""
    left, right = scenes.mercuri_and_infinity()
    made = [
        scenes.matter(
            left, right, left_fields={}, right_fields={}, title=f"Ms Miller, parcel {place}", number=place
        )
        for place in range(3)
    ]
    for place, one in enumerate(made):
        Ticket.objects.filter(pk=one.right_ticket.pk).update(title=f"Customer {place}")
    return made


@pytest.fixture
def agent() -> User:
    """Somebody at Infinity who is no staff of the integrator."""
    return factories.make_user("raj", role=Role.PARTNER_AGENT, partner=factories.infinity())


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


def found(user: User, words: str) -> tuple[int, ...]:
    criteria = Criteria(words=words)
    rows = sorted(row.pk for row in find_all(user, criteria))
    assert count_up_to(user, criteria) == len(rows)
    return tuple(rows)


# With none that are few, what many have is asked of one ticket after the other.
@pytest.mark.parametrize("few", [5000, 1, 0])
def test_many_and_few_are_found_alike_and_only_by_own_words(
    matters: list[Matter], agent: User, staff: User, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_search, "FEW", few)
    keys = tuple(one.linked.pk for one in matters)

    assert found(agent, "customer") == keys
    assert found(agent, "miller") == ()
    assert found(agent, "customer 1") == keys[1:2]
    assert found(staff, "miller") == keys
    assert found(staff, "CUSTOMER") == keys
    assert found(staff, "parcel 2") == keys[2:]


def test_a_key_is_found_by_its_own_company(matters: list[Matter], agent: User, staff: User) -> None:
    key = matters[0].linked.pk
    assert found(agent, "inf-0") == found(staff, "INF-0") == found(staff, f" lt-{key} ") == (key,)
    assert found(factories.make_user(role=Role.PARTNER_AGENT, partner=factories.stranger()), "INF-0") == ()


def test_fewer_than_three_letters_find_keys_only(matters: list[Matter], staff: User) -> None:
    Ticket.objects.filter(pk=matters[1].left_ticket.pk).update(key="7")

    assert found(staff, "7") == (matters[1].linked.pk,)
    assert found(staff, "Ms") == ()


def test_many_are_counted_as_far_as_they_are_counted_at_all(matters: list[Matter], staff: User) -> None:
    assert count_up_to(staff, Criteria(words="miller"), limit=1) == 2
