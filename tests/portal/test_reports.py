"""The service level report: its numbers, its files, and the tickets behind each number."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from integrations.models import Side, Ticket
from portal.models import User
from portal.reports import percent
from slas import services as slas
from slas.models import Agreement, Timing
from tests import factories
from tests.factories import Role
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

REPORT = "/service-levels/"
OCTOBER, NOVEMBER = datetime(2026, 10, 5, 8, 0, tzinfo=UTC), datetime(2026, 11, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def sides() -> tuple[Side, Side]:
    return scenes.mercuri_and_infinity()


@pytest.fixture
def measured(sides: tuple[Side, Side]) -> Agreement:
    """Four tickets raised by Mercuri: critical in time and late, low in time, and one still open past its target."""
    agreement = slas.load_reference(factories.mercuri(), factories.infinity())
    measure(sides, 1, OCTOBER, "critical", hours=1)
    measure(sides, 2, OCTOBER, "critical", hours=3)
    measure(sides, 3, NOVEMBER, "low", hours=10)
    measure(sides, 4, NOVEMBER, "high", hours=None)
    return agreement


def measure(sides: tuple[Side, Side], number: int, at: datetime, priority: str, *, hours: int | None) -> None:
    """A ticket opened at `at`, resolved after some hours."""
    left, right = sides
    title = f"Ticket {number} of Ms Miller"
    linked = scenes.matter(
        left, right, left_fields={}, right_fields={}, title=title, number=number, at=at
    ).linked
    facts = [(left, "opened", "", at, 1), (left, "priority", priority, at, 1)]
    if hours is not None:
        facts.append((right, "status", "resolved", at + timedelta(hours=hours), 1))
    for side, what, value, happened_at, position in facts:
        Timing.objects.create(
            linked_ticket=linked,
            side=side,
            what=what,
            value=value,
            happened_at=happened_at,
            position=position,
        )
    slas.recompute(linked, datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def manager() -> User:
    return factories.make_user("sam", role=Role.SERVICE_LEVEL_MANAGER)


def report(client: Client, user: User, **query: str) -> Any:
    client.force_login(user)
    response = client.get(REPORT, query)
    assert response.status_code == 200
    return response


def test_the_report_counts_what_was_in_time(client: Client, measured: Agreement, manager: User) -> None:
    response = report(client, manager)
    found, text = response.context["report"], response.content.decode()

    (line,) = found.lines
    counted = line.line
    assert (line.label, counted.opened, counted.finished, counted.at_work) == ("Infinity Solutions", 4, 3, 1)
    assert (counted.met, counted.breached, line.share.percent) == (2, 2, "50 %")
    assert list(line.times) == ["4 h 40 min", "3 h", "8 h 36 min"]
    for words in ("Resolution met", "50 %", "2 of 4 judged", "October 2026"):
        assert words in text


def test_it_can_be_narrowed_and_cut_in_other_ways(client: Client, measured: Agreement, manager: User) -> None:
    def labels(**query: str) -> list[tuple[str, int]]:
        found = report(client, manager, **query).context["report"]
        return [(line.label, line.line.opened) for line in found.lines]

    assert labels(by="priority") == [("Critical", 2), ("High", 1), ("Low", 1)]
    assert labels(by="month") == [("October 2026", 2), ("November 2026", 2)]
    assert labels(by="type") == [("Without a type", 4)]
    assert labels(by="agreement") == [(measured.name, 4)]
    assert labels(by="customer") == [("Mercuri Inc", 4)]
    assert labels(priority="low") == [("Infinity Solutions", 1)]
    assert labels(start="2026-11-01") == [("Infinity Solutions", 2)]
    assert labels(end="2026-10-01", by="priority") == [("Critical", 2)]
    assert labels(kind="response", by="month") == [("October 2026", 2), ("November 2026", 2)]
    # What cannot be chosen is as if nothing had been.
    assert labels(by="weather", start="soon", kind="x") == [("Infinity Solutions", 4)]


def test_months_are_drawn_with_what_was_met_and_what_was_not(
    client: Client, measured: Agreement, manager: User
) -> None:
    chart = report(client, manager).context["report"].chart

    assert [bar.title for bar in chart.bars] == [
        "October 2026: 1 of 2 in time, 50 %",
        "November 2026: 1 of 2 in time, 50 %",
    ]
    assert [value for _, value in chart.ticks] == [0, 1, 2]
    assert chart.bars[0].met_height == chart.bars[0].breached_height > 0


def test_every_number_leads_to_the_tickets_it_counts(
    client: Client, measured: Agreement, manager: User
) -> None:
    found = report(client, manager, by="priority").context["report"]

    def behind(url: str) -> list[str]:
        address = urlsplit(url)
        response = client.get(f"{address.path}?{address.query}")
        assert response.status_code == 200
        return sorted(ticket.title for ticket, _ in response.context["rows"])

    numbers = ("opened", "finished", "at_work", "met", "breached")
    for line in found.lines:
        for name in numbers:
            assert len(behind(line.urls[name])) == getattr(line.line, name), (line.label, name)
    assert behind(found.lines[0].urls["breached"]) == ["Ticket 2 of Ms Miller"]
    assert behind(found.chart.bars[0].url) == ["Ticket 2 of Ms Miller"]
    assert len(behind(found.resolution_share.url)) == 2
    # All four were answered (or not) in their own way: response has its own verdicts.
    assert len(behind(found.response_share.url)) == found.response.breached
    by_provider = dict(found.providers)["Infinity Solutions"]
    assert behind(by_provider[3].url) == ["Ticket 3 of Ms Miller"]


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "vanished"},
        {"line": "weather", "key": "rain"},
        {"line": "provider"},
        {"line": "month", "key": "soon"},
        {"line": "priority", "key": "huge"},
    ],
)
def test_a_number_that_no_report_has_leads_nowhere(
    client: Client, manager: User, query: dict[str, str]
) -> None:
    client.force_login(manager)

    assert client.get(f"{REPORT}tickets/", query).status_code == 404


def test_the_files_hold_the_same_numbers(client: Client, measured: Agreement, manager: User) -> None:
    client.force_login(manager)

    text = b"".join(client.get(f"{REPORT}export.csv", {"by": "priority"}).streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    book = client.get(f"{REPORT}export.xlsx", {"by": "priority"})

    assert rows[0][:7] == ["Priority", "Opened", "Finished", "At work", "Met", "Breached", "Share met"]
    assert rows[1][:10] == ["Critical", "2", "2", "0", "1", "1", "0.5", "120.0", "120.0", "168.0"]
    assert rows[2][:8] == ["High", "1", "0", "1", "0", "1", "0.0", ""]
    with zipfile.ZipFile(io.BytesIO(book.content)) as parts:
        assert "<v>168</v>" in parts.read("xl/worksheets/sheet1.xml").decode()


def test_one_partners_manager_sees_the_agreements_of_that_partner(
    client: Client, sides: tuple[Side, Side], measured: Agreement
) -> None:
    slas.load_reference(factories.infinity(), factories.stranger())

    def opened(partner: Any) -> int:
        user = factories.make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=partner)
        return int(report(client, user).context["report"].resolution.opened)

    assert [opened(one) for one in (factories.mercuri(), factories.infinity(), factories.stranger())] == [
        4,
        4,
        0,
    ]
    assert "Nothing measured yet" in client.get(REPORT).content.decode()


def test_the_other_partners_title_is_not_behind_the_numbers(client: Client, measured: Agreement) -> None:
    Ticket.objects.filter(key__startswith="INF").update(title="")
    client.force_login(factories.make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=factories.infinity()))

    response = client.get(f"{REPORT}tickets/", {"outcome": "opened"})

    assert [ticket.title for ticket, _ in response.context["rows"]] == ["INF-4", "INF-3", "INF-2", "INF-1"]
    assert "Miller" not in response.content.decode()


def test_agents_see_no_service_levels(client: Client, measured: Agreement) -> None:
    client.force_login(factories.make_user(role=Role.PARTNER_AGENT, partner=factories.mercuri()))

    for address in ("", "export.csv", "export.xlsx", "tickets/"):
        assert client.get(REPORT + address).status_code == 403


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "–"), (1.0, "100 %"), (0.9999, "99.9 %"), (0.5, "50 %"), (0.0, "0 %"), (2 / 3, "66.6 %")],
)
def test_a_share_is_cut_so_that_all_means_all(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_the_report_costs_the_same_whatever_its_length(
    client: Client,
    sides: tuple[Side, Side],
    measured: Agreement,
    manager: User,
    django_assert_num_queries: Any,
) -> None:
    client.force_login(manager)
    client.get(REPORT)
    for number in range(5, 12):
        measure(sides, number, NOVEMBER, "low", hours=number)

    # Session, user and whose; memberships, matrix; the form: agreements, providers, customers (counted), months;
    # goals; four passes over the clocks; each question with the partners that the person sees and its agreements.
    with django_assert_num_queries(27):
        client.get(REPORT)
