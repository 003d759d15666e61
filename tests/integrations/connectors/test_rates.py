"""What every vendor's headers tell of its limits, and the gate that keeps to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from requests.structures import CaseInsensitiveDict

from integrations.connectors import errors
from integrations.connectors.azure_devops import rates as azure_devops
from integrations.connectors.gate import Gate, Tidings
from integrations.connectors.jira import rates as jira
from integrations.connectors.rates import Told
from integrations.connectors.servicenow import rates as servicenow
from integrations.connectors.zendesk import rates as zendesk

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def in_s(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("read", "status", "headers", "told"),
    [
        (
            zendesk.read_rates,
            200,
            {"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "12", "ratelimit-reset": "41"},
            Told(700, 12, in_s(41), 60),
        ),
        (
            zendesk.read_rates,
            200,
            {"ratelimit-limit": "400", "ratelimit-remaining": "399"},
            Told(400, 399, in_s(60), 60),
        ),
        (
            zendesk.read_rates,
            200,
            {"Zendesk-RateLimit-Tickets-Index": "total=100; remaining=0; resets=41"},
            Told(window_s=60, wait_s=41.0),
        ),
        (zendesk.read_rates, 429, {"Retry-After": "7"}, None),
        (
            jira.read_rates,
            200,
            {
                "X-RateLimit-Limit": "100",
                "X-RateLimit-Remaining": "20",
                "X-RateLimit-Reset": "2026-03-01T10:00:30Z",
            },
            Told(100, 20, in_s(30)),
        ),
        (
            jira.read_rates,
            429,
            {"X-RateLimit-Remaining": "0", "RateLimit-Reason": "jira-per-issue-on-write"},
            None,
        ),
        # As recorded: the points of the hour, and beside them what is left of the endpoint's second.
        (
            jira.read_rates,
            200,
            {
                "Beta-Ratelimit-Policy": '"tenant-app-quota";q=100100;w=3600',
                "Beta-Ratelimit": '"tenant-app-quota";r=17842;t=2107',
                "X-Ratelimit-Limit": "350",
                "X-Ratelimit-Remaining": "349",
            },
            Told(100_100, 17_842, in_s(2107), 3600),
        ),
        (jira.read_rates, 200, {"X-Ratelimit-Limit": "350", "X-Ratelimit-Remaining": "349"}, None),
        (jira.read_rates, 200, {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "5"}, Told(wait_s=1.0)),
        (
            jira.read_rates,
            429,
            {"X-RateLimit-Remaining": "0", "RateLimit-Reason": "jira-quota-tenant-based"},
            Told(left=0),
        ),
        (
            azure_devops.read_rates,
            200,
            {
                "X-RateLimit-Limit": "200",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(in_s(300).timestamp())),
                "X-RateLimit-Delay": "1.250",
                "Retry-After": "9999",
            },
            Told(200, 0, in_s(300), 300, 120.0, 1.25),
        ),
        (
            servicenow.read_rates,
            200,
            {"X-RateLimit-Limit": "100", "X-RateLimit-Reset": str(int(in_s(600).timestamp()))},
            Told(100, None, in_s(600), 3600),
        ),
        (servicenow.read_rates, 429, {"X-RateLimit-Limit": "100"}, Told(100, 0, None, 3600)),
    ],
)
def test_headers_of_every_vendor_are_read_on_every_answer(read, status, headers, told) -> None:
    assert read(status, CaseInsensitiveDict(headers), NOW) == told


@pytest.mark.parametrize("read", [one.read_rates for one in (zendesk, jira, azure_devops, servicenow)])
@pytest.mark.parametrize("odd", ["", "-1", "nan", "1e9", "9" * 40, "²", "tomorrow", "5; 6"])
def test_odd_headers_tell_nothing_and_break_nothing(read, odd: str) -> None:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Delay")
    more = (
        "Beta-RateLimit",
        "X-Rate-Limit",
        "X-Rate-Limit-Remaining",
        "ratelimit-reset",
        "zendesk-ratelimit-tickets-index",
    )
    assert read(200, dict.fromkeys((*names, *more), odd), NOW) is None


@pytest.mark.parametrize(
    ("is_write", "body", "points"),
    [
        (True, {"fields": {}}, 1),
        (True, None, 1),
        (False, None, 2),
        (False, {"jql": "x", "maxResults": 100}, 2),
        (False, {"ids": []}, 2),
        (False, {"ids": [1, 2, 3]}, 4),
        # More than a small quota would ever have free at once would never go.
        (False, {"ids": [*range(500)]}, 11),
    ],
)
def test_a_call_to_jira_takes_the_points_that_are_foreseen(is_write: bool, body, points: int) -> None:
    assert jira.points(is_write, body) == points


class Bench:
    """A gate whose clock stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.gate = Gate(lambda: self.now)

    def passes(self, wanted: int) -> int:
        through = 0
        for _ in range(wanted):
            try:
                self.gate.enter()
            except errors.HeldBack:
                continue
            through += 1
        return through


def test_an_open_gate_counts_and_a_measured_one_lets_through_what_was_allowed() -> None:
    bench = Bench()
    assert bench.passes(3) == 3
    assert bench.gate.tidings() == Tidings(calls=3)
    bench.gate.measure(2, 7, bench.now)
    bench.gate.measure(1, 8, bench.now)
    assert (bench.passes(5), bench.gate.allowed, bench.gate.tidings().calls) == (3, 0, 0)


def test_an_allowance_is_used_soon_or_handed_back() -> None:
    bench = Bench()
    bench.gate.measure(5, 7, bench.now)
    assert bench.passes(2) == 2
    bench.now += 2.0
    assert (bench.passes(1), bench.gate.tidings().unused) == (0, ((7, 3),))
    assert bench.gate.tidings().unused == ()


def test_a_call_that_counts_as_several_goes_with_all_of_them_or_not_at_all() -> None:
    bench = Bench()
    bench.gate.measure(3, 7, bench.now)
    bench.gate.measure(1, 8, bench.now)
    with pytest.raises(errors.HeldBack):
        bench.gate.enter(5)
    assert (bench.gate.allowed, bench.gate.made, bench.gate.short_of) == (4, 0, 5)
    bench.gate.measure(2, 9, bench.now)
    bench.gate.enter(5)
    assert (bench.gate.allowed, bench.gate.made, bench.gate.short_of) == (1, 5, 0)
    bench.gate.count(2)
    assert (bench.gate.made, bench.gate.tidings().calls) == (7, 2)


def test_a_gate_knows_whether_the_system_tells_of_a_limit() -> None:
    bench = Bench()
    assert not bench.gate.is_told
    bench.gate.hear(Told(100, 90), bench.now)
    assert bench.gate.is_told
    # Before it was shared an answer of the database's knows nothing of it.
    bench.gate.measure(None, 7, bench.now, is_told=False)
    assert bench.gate.is_told
    bench.gate.tidings()
    bench.gate.measure(None, 8, bench.now, is_told=True)
    assert bench.gate.is_told
    bench.gate.measure(None, 9, bench.now, is_told=False)
    assert not bench.gate.is_told


def test_a_gate_reports_once_that_the_latest_good_answer_told_of_no_limit() -> None:
    bench = Bench()
    bench.gate.hear(Told(100, 90), bench.now)
    bench.gate.hear_nothing(bench.now - 1)
    assert not bench.gate.tidings().is_silent
    bench.gate.hear_nothing(bench.now + 1)
    assert [bench.gate.tidings().is_silent for _ in range(2)] == [True, False]
    bench.gate.hear_nothing(bench.now + 2)
    bench.gate.hear(Told(100, 80), bench.now + 3)
    assert not bench.gate.tidings().is_silent


def test_a_system_that_asks_for_a_pause_in_a_good_answer_gets_it() -> None:
    bench = Bench()
    bench.gate.hear(Told(wait_s=30.0), bench.now)
    with pytest.raises(errors.HeldBack) as held:
        bench.gate.enter()
    assert (held.value.retry_after_s, bench.gate.is_urgent, bench.gate.made) == (30.0, True, 0)
    bench.now += 30.0
    assert bench.passes(1) == 1


def test_only_what_is_scarce_or_new_is_urgent_and_late_answers_do_not_count() -> None:
    bench = Bench()
    bench.gate.hear(Told(700, 690), bench.now)
    assert bench.gate.is_urgent
    bench.gate.tidings()
    bench.gate.hear(Told(700, 690), bench.now + 1)
    assert not bench.gate.is_urgent
    bench.gate.hear(Told(700, 300), bench.now + 2)
    assert bench.gate.tidings().told == Told(700, 300)
    bench.gate.hear(Told(700, 20), bench.now + 4)
    bench.gate.hear(Told(700, 25), bench.now + 3)
    assert (bench.gate.is_urgent, bench.gate.tidings().told) == (True, Told(700, 20))
