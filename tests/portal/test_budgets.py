"""A system's page shows its budget of calls, and the queue says which limit a lane waits for."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import System, SystemBudget, Ticket
from integrations.services import budgets
from integrations.services.refusals import NotPossible
from portal.models import AuditEntry
from tests.factories import Role, make_system, make_user, mercuri

pytestmark = pytest.mark.django_db


def test_the_standing_tells_what_is_left_until_when_and_what_had_to_wait() -> None:
    now = timezone.now()
    second = int(now.timestamp())
    system = make_system()
    SystemBudget.objects.create(
        system=system,
        ceiling=300,
        limit=700,
        left=0,
        window_s=60,
        resets_at=now + timedelta(seconds=40),
        told_at=now,
        seconds={str(second - 90): 4, str(second - 5): 8},
        minutes={str(second // 60): 8, str(second // 60 - 3): 4, str(second // 60 - 70): 99},
        held={str(second // 60): 2, str(second // 60 - 70): 50},
    )
    told = budgets.standing(system, now=now)
    assert (told.ceiling, told.limit, told.left, told.span) == (300, 700, 0, "a minute")
    assert (told.last_minute, told.last_hour, told.held) == (8, 12, 2)
    assert told.holding == budgets.Holding(
        "Waits for the system's limit of 700 calls a minute.", now + timedelta(seconds=40)
    )


def test_a_system_that_nobody_limits_holds_nothing_back() -> None:
    told = budgets.standing(make_system(), now=timezone.now())
    assert (told.limit, told.ceiling, told.last_hour, told.holding) == (None, None, 0, None)


@pytest.mark.parametrize("ceiling", [0, 9, 100_001])
def test_a_ceiling_that_makes_no_sense_is_refused_at_its_field(ceiling: int) -> None:
    with pytest.raises(NotPossible) as refused:
        budgets.set_ceiling(make_system(), ceiling)
    assert refused.value.field == "ceiling"


def test_a_ceiling_is_set_and_taken_away() -> None:
    system = make_system()
    found = [budgets.set_ceiling(system, ceiling).ceiling for ceiling in (50, 70, None)]
    assert (found, SystemBudget.objects.count()) == ([50, 70, None], 1)


# --- The page ---


@pytest.fixture
def zendesk(client: Client) -> System:
    """Mercuri's Zendesk; signed in is the owner of its mappings."""
    client.force_login(make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri()))
    return make_system(mercuri(), name="Mercuri Zendesk")


def card(client: Client, system: System) -> str:
    """The words of the card about calls, and its form as it is written."""
    page = client.get(reverse("system_detail", args=[system.pk])).content.decode()
    start = page.index('<h2 class="card-title">Calls</h2>')
    text = page[start : page.index('<h2 class="card-title">Fields</h2>')]
    return html.unescape(" ".join(re.sub(r"<(?!input|form|/form)[^>]*>", " ", text).split()))


def test_the_page_tells_of_the_limit_what_is_left_and_what_waits(client: Client, zendesk: System) -> None:
    now = timezone.now()
    second = int(now.timestamp())
    SystemBudget.objects.create(
        system=zendesk,
        ceiling=3000,
        limit=65_000,
        left=0,
        window_s=60,
        resets_at=now + timedelta(seconds=40),
        told_at=now,
        seconds={str(second): 8},
        minutes={str(second // 60): 8, str(second // 60 - 3): 1},
        held={str(second // 60): 2},
        held_at=now,
    )
    assert "Nothing is due at the moment." in card(client, zendesk)
    Ticket.objects.create(system=zendesk, remote_id="1", read_due_at=now)
    shown = card(client, zendesk)
    for words in (
        "Waits for the system's limit of 65,000 calls a minute. Goes on at",
        "0 lanes and 1 reading wait for it.",
        "Last minute 8 calls Last hour 9 calls The system's limit 65,000 a minute Left of it 0",
        "Our own ceiling 3,000 a minute Had to wait, last hour 2 calls",
    ):
        assert words in shown
    assert 'value="3000"' in shown


def test_the_page_of_a_system_without_a_limit_says_so(client: Client, zendesk: System) -> None:
    shown = card(client, zendesk)
    assert "The system's limit It tells of none Our own ceiling None" in shown
    assert "Goes on at" not in shown


@pytest.mark.parametrize(
    ("entered", "held", "words"),
    [
        ("50", 50, "At most 50 calls a minute from here on."),
        ("", None, "Only the vendor's own limit counts from here on."),
        ("9", 300, "10"),
        ("100001", 300, "100"),
        ("many", 300, "number"),
    ],
)
def test_a_ceiling_that_is_entered_holds_or_is_refused_with_the_reason(
    client: Client, zendesk: System, entered: str, held: int | None, words: str
) -> None:
    SystemBudget.objects.create(system=zendesk, ceiling=300)
    response = client.post(reverse("system_ceiling", args=[zendesk.pk]), {"ceiling": entered})
    assert response.headers["Location"] == reverse("system_detail", args=[zendesk.pk])
    (told,) = [str(one) for one in get_messages(response.wsgi_request)]
    assert words in told
    assert SystemBudget.objects.get().ceiling == held
    trail = [one.changes for one in AuditEntry.objects.about(zendesk)]
    assert trail == ([] if held == 300 else [{"calls a minute at most": [300, held]}])


def test_who_may_only_read_a_system_sets_no_ceiling(client: Client) -> None:
    system = make_system(mercuri())
    client.force_login(make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=mercuri()))
    assert client.post(reverse("system_ceiling", args=[system.pk]), {"ceiling": "50"}).status_code == 403
    assert not SystemBudget.objects.exists()
