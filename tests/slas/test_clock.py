"""Histories and what the clocks make of them, as tables; and against a count minute by minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slas import calendars, clock
from slas.calendars import ServiceHours, every_day
from slas.clock import Fact, Kind, Measurement, Start, State, Status, Target, Terms, TicketType, What
from slas.matrix import Priority

# A Monday.
DAY = datetime(2026, 11, 23, tzinfo=UTC)
HOURS = timedelta(hours=1)
MINUTES = timedelta(minutes=1)

TARGETS = (
    *(
        Target(Kind.RESPONSE, priority, allowed * MINUTES)
        for priority, allowed in zip(Priority, (15, 30, 60, 240), strict=True)
    ),
    *(
        Target(Kind.RESOLUTION, priority, allowed * HOURS)
        for priority, allowed in zip(Priority, (2, 4, 8, 24), strict=True)
    ),
    Target(Kind.RESOLUTION, Priority.HIGH, 40 * HOURS, TicketType.CHANGE),
)
ROUND_THE_CLOCK = Terms(TARGETS)
OFFICE = Terms(TARGETS, ServiceHours("UTC", every_day(8 * 60, 18 * 60, range(5))))


def at(text: str) -> datetime:
    """`10:00` on Monday, `2 10:00` on Tuesday and so on."""
    day, _, time = text.rpartition(" ")
    hour, minute = map(int, time.split(":"))
    return DAY + timedelta(days=int(day or 1) - 1, hours=hour, minutes=minute)


def history(text: str) -> list[Fact]:
    """Facts from lines such as `10:00 provider status open`; without a side it is the requester's."""
    facts = []
    for position, line in enumerate(text.strip().splitlines()):
        words = line.split()
        day = [words.pop(0)] if ":" not in words[0] else []
        time = words.pop(0)
        by_provider = words[0] == "provider"
        what = What.HANDED_OVER if words[by_provider] == "handed-over" else What(words[by_provider])
        value = " ".join(words[by_provider + 1 :])
        facts.append(Fact(at(" ".join([*day, time])), what, value, by_provider, position, position))
    return facts


def told(measured: Measurement | None) -> str:
    """A clock in one line: state, used, paused, due, verdict."""
    assert measured is not None
    parts = [measured.state.value, f"{hours(measured.elapsed)} used"]
    if measured.paused:
        parts.append(f"{hours(measured.paused)} paused")
    if measured.due_at:
        parts.append(f"due {moment(measured.due_at)}")
    if measured.is_breached or measured.is_met:
        parts.append("met" if measured.is_met else "breached")
    return ", ".join(parts)


def hours(span: timedelta) -> str:
    minutes = span // MINUTES
    return f"{minutes // 60}:{minutes % 60:02d}"


def moment(when: datetime) -> str:
    day = (when - DAY).days + 1
    return f"{day} {when:%H:%M}" if day != 1 else f"{when:%H:%M}"


RESOLUTIONS = [
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        """,
        "11:30",
        "running, 1:30 used, due 14:00",
        id="an open ticket runs",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        13:59 provider status resolved
        """,
        "20:00",
        "stopped, 3:59 used, due 14:00, met",
        id="resolved in time is met",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        14:00 provider status resolved
        """,
        "20:00",
        "stopped, 4:00 used, due 14:00, met",
        id="to the minute is in time",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        14:01 provider status resolved
        """,
        "20:00",
        "stopped, 4:01 used, due 14:00, breached",
        id="a minute more is not",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        """,
        "15:00",
        "running, 5:00 used, due 14:00, breached",
        id="it is breached while it still runs",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status pending
        """,
        "2 23:00",
        "paused, 1:00 used, 36:00 paused",
        id="pending is not violated, however long it takes (b32)",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status pending
        16:00 status open
        """,
        "17:00",
        "running, 2:00 used, 5:00 paused, due 19:00",
        id="a pause moves the due time",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status pending
        12:00 provider status on hold
        16:00 status open
        """,
        "17:00",
        "running, 2:00 used, 5:00 paused, due 19:00",
        id="from one pause to the next is one pause",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority low
        11:00 provider status on hold
        14:00 provider status open
        15:00 priority critical
        """,
        "15:30",
        "running, 2:30 used, 3:00 paused, due 15:00, breached",
        id="a higher priority applies from the beginning, pauses kept (b33)",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority critical
        11:00 provider status on hold
        12:00 priority high
        14:00 provider status open
        """,
        "15:00",
        "running, 2:00 used, 3:00 paused, due 17:00",
        id="the priority may change within a pause (b33)",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        14:00 provider status pending
        20:00 status open
        """,
        "20:00",
        "running, 4:00 used, 6:00 paused, due 14:00",
        id="used up to the minute when it paused",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status resolved
        15:00 status open
        16:00 provider status resolved
        """,
        "20:00",
        "stopped, 2:00 used, due 18:00, met",
        id="reopened it continues; between is neither used nor paused (b33)",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status resolved
        12:00 status closed
        """,
        "20:00",
        "stopped, 1:00 used, due 14:00, met",
        id="closing afterwards does not move the resolution",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status resolved
        12:00 status closed
        13:00 status open
        14:00 status closed
        """,
        "20:00",
        "ended, 2:00 used, due 16:00",
        id="closed after a reopening without a new resolution has none",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        12:00 status closed
        """,
        "20:00",
        "ended, 2:00 used, due 14:00",
        id="closed without having been resolved is neither met nor breached",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        15:00 status closed
        """,
        "20:00",
        "ended, 5:00 used, due 14:00, breached",
        id="closing does not undo a breach",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status resolved
        11:30 priority critical
        """,
        "20:00",
        "stopped, 1:00 used, due 14:00, met",
        id="what is changed after the resolution does not rewrite it",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status resolved
        11:30 priority critical
        13:00 status open
        """,
        "13:30",
        "running, 1:30 used, due 14:00",
        id="but holds when it is reopened",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority low
        10:00 impact 1 - High
        10:00 urgency 1
        """,
        "11:00",
        "running, 1:00 used, due 12:00",
        id="impact and urgency together outweigh the priority field",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority low
        10:00 impact 1
        """,
        "11:00",
        "running, 1:00 used, due 2 10:00",
        id="impact alone does not",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        10:00 type change
        """,
        "11:00",
        "running, 1:00 used, due 3 02:00",
        id="a type may have its own target",
    ),
    pytest.param(
        """
        10:00 opened
        """,
        "11:00",
        "running, 1:00 used",
        id="without a priority there is no target, but the time is measured",
    ),
    pytest.param(
        """
        10:00 opened
        09:55 priority critical
        09:58 provider status open
        """,
        "11:00",
        "running, 1:00 used, due 12:00",
        id="what a slow clock dates before the opening counts at the opening",
    ),
    pytest.param(
        """
        10:00 opened
        10:00 priority high
        11:00 provider status waiting for spare parts
        """,
        "12:00",
        "running, 2:00 used, due 14:00",
        id="waiting has to be said in the dictionary's words",
    ),
]


@pytest.mark.parametrize(("text", "now", "expected"), RESOLUTIONS)
def test_a_history_has_one_resolution_clock(text: str, now: str, expected: str) -> None:
    assert told(clock.measure(history(text), ROUND_THE_CLOCK, Kind.RESOLUTION, at(now))) == expected


RESPONSES = [
    pytest.param(
        "10:00 provider comment",
        "stopped, 0:00 used, due 10:30, met",
        id="a slow clock's answer counts at once",
    ),
    pytest.param(
        "10:20 provider comment", "stopped, 0:20 used, due 10:30, met", id="a comment of the provider answers"
    ),
    pytest.param("10:20 provider status open", "stopped, 0:20 used, due 10:30, met", id="so does work begun"),
    pytest.param(
        "10:20 provider status resolved", "stopped, 0:20 used, due 10:30, met", id="and a resolution"
    ),
    pytest.param(
        "10:20 provider status pending", "stopped, 0:20 used, due 10:30, met", id="and a question back"
    ),
    pytest.param(
        "10:20 provider status new", "running, 2:00 used, due 10:30, breached", id="new is not work begun"
    ),
    pytest.param(
        "10:20 provider priority high", "running, 2:00 used, due 10:30, breached", id="sorting is no answer"
    ),
    pytest.param(
        "10:20 comment", "running, 2:00 used, due 10:30, breached", id="the requester's comment is none"
    ),
    pytest.param(
        "10:20 status open", "running, 2:00 used, due 10:30, breached", id="nor is the requester's status"
    ),
    pytest.param(
        "10:20 status on hold", "paused, 0:20 used, 1:40 paused", id="the requester may put it on hold"
    ),
    pytest.param("10:20 status closed", "ended, 0:20 used, due 10:30", id="withdrawn: nobody has to answer"),
    pytest.param(
        "10:20 status resolved", "ended, 0:20 used, due 10:30", id="solved by the requester: likewise"
    ),
    pytest.param(
        "10:20 status closed\n11:00 status open\n11:05 provider comment",
        "stopped, 0:25 used, due 11:10, met",
        id="reopened, somebody has to answer again",
    ),
    pytest.param(
        "10:20 provider comment\n10:30 status closed\n11:00 status open\n11:40 provider comment",
        "stopped, 0:20 used, due 10:30, met",
        id="the first answer remains the first",
    ),
]


@pytest.mark.parametrize(("text", "expected"), RESPONSES)
def test_only_the_answering_side_answers(text: str, expected: str) -> None:
    facts = history(f"10:00 opened\n10:00 priority high\n10:00 status new\n{text}")

    assert told(clock.measure(facts, ROUND_THE_CLOCK, Kind.RESPONSE, at("12:00"))) == expected


IN_OFFICE_HOURS = [
    pytest.param(
        "17:00 opened\n17:00 priority high", "2 09:00", "running, 2:00 used, due 2 11:00", id="over night"
    ),
    pytest.param(
        "5 17:00 opened\n5 17:00 priority high", "7 12:00", "running, 1:00 used, due 8 11:00", id="weekend"
    ),
    pytest.param(
        "20:00 opened\n20:00 priority high",
        "21:00",
        "running, 0:00 used, due 2 12:00",
        id="opened at night (b35)",
    ),
    pytest.param(
        "17:00 opened\n17:00 priority high\n17:30 provider status on hold\n2 09:00 status open",
        "2 10:00",
        "running, 1:30 used, 1:30 paused, due 2 12:30",
        id="a hold over night costs and gives only service hours (b36)",
    ),
    pytest.param(
        "14:00 opened\n14:00 priority high",
        "2 07:59",
        "running, 4:00 used, due 18:00",
        id="used up at closing",
    ),
    pytest.param(
        "14:00 opened\n14:00 priority high", "2 08:00", "running, 4:00 used, due 18:00", id="still at opening"
    ),
    pytest.param(
        "14:00 opened\n14:00 priority high",
        "2 08:01",
        "running, 4:01 used, due 18:00, breached",
        id="late a minute after",
    ),
    pytest.param(
        "14:00 opened\n14:00 priority high\n22:00 provider status resolved",
        "3 08:00",
        "stopped, 4:00 used, due 18:00, met",
        id="resolved at night costs nothing",
    ),
]


@pytest.mark.parametrize(("text", "now", "expected"), IN_OFFICE_HOURS)
def test_only_service_hours_count(text: str, now: str, expected: str) -> None:
    assert told(clock.measure(history(text), OFFICE, Kind.RESOLUTION, at(now))) == expected


def test_the_moment_of_the_breach_is_the_last_one_in_time() -> None:
    facts = history("14:00 opened\n14:00 priority high")
    moments = [at("13:00"), at("18:00"), at("2 08:00"), at("2 08:00") + timedelta(microseconds=1)]

    measured = [clock.measure(facts, OFFICE, Kind.RESOLUTION, now) for now in moments]

    assert [(one.due_at, one.breaches_at, one.is_breached) for one in measured if one] == [
        (at("18:00"), at("2 08:00"), False),
        (at("18:00"), at("2 08:00"), False),
        (at("18:00"), at("2 08:00"), False),
        (at("18:00"), at("2 08:00"), True),
    ]


def test_the_intervals_show_the_arithmetic() -> None:
    facts = history(
        """
        10:00 opened
        10:00 priority low
        11:00 provider status pending
        12:00 priority high
        13:00 status open
        14:00 provider status resolved
        15:00 status open
        """
    )

    measured = clock.measure(facts, ROUND_THE_CLOCK, Kind.RESOLUTION, at("15:30"))

    assert measured is not None
    assert [
        (
            one.state.value,
            moment(one.from_at),
            one.to_at and moment(one.to_at),
            hours(one.service_time),
            one.target and hours(one.target),
            one.why,
            one.cause.event_id,
        )
        for one in measured.intervals
    ] == [
        ("running", "10:00", "11:00", "1:00", "24:00", "opened", 0),
        ("paused", "11:00", "12:00", "1:00", "24:00", "status became “pending”", 2),
        ("paused", "12:00", "13:00", "1:00", "4:00", "priority became “high”", 3),
        ("running", "13:00", "14:00", "1:00", "4:00", "status became “open”", 4),
        ("stopped", "14:00", "15:00", "1:00", "4:00", "status became “resolved”", 5),
        ("running", "15:00", None, "0:30", "4:00", "reopened, status became “open”", 6),
    ]
    assert (measured.elapsed, measured.paused) == (150 * MINUTES, 120 * MINUTES)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kind.RESPONSE, "status became “closed”, without an answer"),
        (Kind.RESOLUTION, "status became “closed”, without having been resolved"),
    ],
)
def test_an_ending_says_what_is_missing(kind: Kind, why: str) -> None:
    measured = clock.measure(history("10:00 opened\n11:00 status closed"), ROUND_THE_CLOCK, kind, at("12:00"))

    assert measured is not None
    assert (measured.intervals[-1].why, measured.wall, measured.stopped_at) == (why, None, at("11:00"))


def test_the_wall_clock_counts_to_the_last_resolution() -> None:
    facts = history(
        "10:00 opened\n11:00 status pending\n12:00 provider status resolved\n2 10:00 status open\n"
        "2 18:00 provider status resolved\n2 19:00 status closed"
    )

    measured = clock.measure(facts, OFFICE, Kind.RESOLUTION, at("5 10:00"))

    assert measured is not None
    assert (measured.wall, measured.elapsed, measured.paused) == (32 * HOURS, 9 * HOURS, 1 * HOURS)


def test_a_ticket_handed_over_later_brings_no_spent_clock() -> None:
    facts = history(
        "10:00 opened\n10:00 priority high\n3 12:00 handed-over\n3 13:00 provider status resolved"
    )
    contract = Terms(TARGETS, start=Start.HANDED_OVER)

    measured = [
        clock.measure(facts, terms, Kind.RESOLUTION, at("4 10:00")) for terms in (ROUND_THE_CLOCK, contract)
    ]

    assert [told(one) for one in measured] == [
        "stopped, 51:00 used, due 14:00, breached",
        "stopped, 1:00 used, due 3 16:00, met",
    ]


def test_a_contract_from_hand_over_begins_at_the_opening_when_nobody_told_of_one() -> None:
    measured = clock.measure(
        history("10:00 opened\n10:00 priority high"),
        Terms(TARGETS, start=Start.HANDED_OVER),
        Kind.RESOLUTION,
        at("11:00"),
    )

    assert told(measured) == "running, 1:00 used, due 14:00"


def test_an_agreement_chooses_its_own_pauses() -> None:
    facts = history("10:00 opened\n10:00 priority high\n11:00 status pending\n12:00 status on hold")

    paused = {
        pauses: told(
            clock.measure(facts, Terms(TARGETS, pauses=frozenset(pauses)), Kind.RESOLUTION, at("13:00"))
        )
        for pauses in [(), (Status.PENDING,), (Status.ON_HOLD,), (Status.PENDING, Status.ON_HOLD)]
    }

    assert list(paused.values()) == [
        "running, 3:00 used, due 14:00",
        "running, 2:00 used, 1:00 paused, due 15:00",
        "paused, 2:00 used, 1:00 paused",
        "paused, 1:00 used, 2:00 paused",
    ]


def test_within_one_change_the_priority_counts_before_the_resolution() -> None:
    together = [
        Fact(at("10:00"), What.OPENED),
        Fact(at("10:00"), What.PRIORITY, "critical", position=1),
        Fact(at("13:00"), What.STATUS, "resolved", by_provider=True, position=2),
        Fact(at("13:00"), What.PRIORITY, "high", by_provider=True, position=2),
        Fact(at("13:00"), What.TYPE, "change", by_provider=True, position=2),
    ]

    assert told(clock.measure(together, ROUND_THE_CLOCK, Kind.RESOLUTION, at("14:00"))) == (
        "stopped, 3:00 used, due 3 02:00, met"
    )


def test_nothing_known_is_no_clock() -> None:
    assert clock.measure([], ROUND_THE_CLOCK, Kind.RESOLUTION, DAY) is None


def test_a_calendar_that_never_opens_gives_no_due_time() -> None:
    never = Terms(TARGETS, ServiceHours("UTC", ()))

    measured = clock.measure(
        history("10:00 opened\n10:00 priority high"), never, Kind.RESOLUTION, at("5 10:00")
    )

    assert told(measured) == "running, 0:00 used"


def test_times_of_one_zone_are_compared_as_instants() -> None:
    # 02:30 summer time comes before 02:10 winter time in the same night.
    berlin = ZoneInfo("Europe/Berlin")
    facts = [
        Fact(datetime(2026, 10, 25, 2, 30, tzinfo=berlin), What.OPENED),
        Fact(datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=berlin), What.STATUS, "resolved", by_provider=True),
    ]

    measured = clock.measure(facts, ROUND_THE_CLOCK, Kind.RESOLUTION, at("12:00"))

    assert measured is not None
    assert (measured.state, measured.elapsed) == (State.STOPPED, 40 * MINUTES)


def test_a_fact_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Fact(datetime(2026, 11, 23), What.OPENED)  # noqa: DTZ001  # that is the point


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("New", "new"),
        ("on_hold", "on hold"),
        ("On-Hold", "on hold"),
        ("hold", "on hold"),
        ("In Progress", "open"),
        ("solved", "resolved"),
        (" closed ", "closed"),
        ("somewhere", None),
        (7, None),
        (None, None),
    ],
)
def test_statuses_are_read_as_sources_write_them(written: object, status: str | None) -> None:
    assert clock.parse_status(written) == status


@pytest.mark.parametrize(
    ("written", "ticket_type"),
    [
        ("Incident", "incident"),
        ("bug", "incident"),
        ("service_request", "service request"),
        ("Change Request", "change"),
        ("Problem", "problem"),
        ("story", None),
        ([], None),
    ],
)
def test_types_are_read_as_sources_write_them(written: object, ticket_type: str | None) -> None:
    assert clock.parse_type(written) == ticket_type


# --- Against a count minute by minute ---

VALUES = {
    What.STATUS: ["new", "open", "pending", "on hold", "resolved", "closed", "odd"],
    What.PRIORITY: ["critical", "high", "medium", "low", ""],
    What.IMPACT: ["1", "4", ""],
    What.URGENCY: ["1", "2", ""],
    What.TYPE: ["incident", "change"],
    What.COMMENT: [""],
    What.HANDED_OVER: [""],
}


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Up to a dozen facts within three days, all at whole minutes."""
    facts = [Fact(DAY + draw(st.integers(0, 1440)) * MINUTES, What.OPENED)]
    for position in range(1, draw(st.integers(0, 12)) + 1):
        what = draw(st.sampled_from(list(VALUES)))
        when = DAY + draw(st.integers(0, 3 * 1440)) * MINUTES
        facts.append(Fact(when, what, draw(st.sampled_from(VALUES[what])), draw(st.booleans()), position))
    return facts


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Some agreement."""
    from_min = draw(st.integers(0, 1000))
    hours = ServiceHours(
        draw(st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"])),
        every_day(from_min, draw(st.integers(from_min + 1, 1440)), range(draw(st.integers(1, 7)))),
    )
    pauses = frozenset(draw(st.sets(st.sampled_from(clock.PAUSABLE))))
    return Terms(
        TARGETS,
        draw(st.sampled_from([calendars.ALWAYS, hours])),
        pauses=pauses,
        start=draw(st.sampled_from(Start)),
    )


def counted(facts: list[Fact], terms: Terms, kind: Kind, now: datetime) -> tuple:
    """The slow way: live through every minute, with the facts of that minute in their order."""
    opened = min(fact.at for fact in facts if fact.what is What.OPENED)
    handed = [fact.at for fact in facts if fact.what is What.HANDED_OVER]
    start = max(opened, min(handed)) if terms.start is Start.HANDED_OVER and handed else opened
    queue = sorted(facts, key=lambda fact: (fact.at, fact.position))
    status, answered, resolved = "new", False, False
    fields = {What.PRIORITY: "", What.IMPACT: "", What.URGENCY: "", What.TYPE: ""}
    used = paused = 0
    stopped_at = judged_by = None
    at = start
    while True:
        while queue and queue[0].at <= at:
            fact = queue.pop(0)
            if fact.what in fields:
                fields[fact.what] = fact.value
            if fact.what is What.STATUS:
                status = fact.value
                resolved = status == "resolved" or (resolved and status == "closed")
                answered = answered or (fact.by_provider and status != "new")
            answered = answered or (fact.what is What.COMMENT and fact.by_provider)
            state = _state(kind, status, answered, resolved, terms)
            if state in ("running", "paused"):
                stopped_at, judged_by = None, _judged_by(fields)
            elif stopped_at is None or stopped_at[0] != state:
                stopped_at, judged_by = (state, at), _judged_by(fields)
        if at >= now and not queue:
            break
        if calendars.is_open(terms.hours, at):
            used += state == "running"
            paused += state == "paused"
        at += MINUTES
    return state, used * MINUTES, paused * MINUTES, stopped_at and stopped_at[1], judged_by


def _state(kind: Kind, status: str, answered: bool, resolved: bool, terms: Terms) -> str:
    if kind is Kind.RESPONSE and answered:
        return "stopped"
    if status in ("resolved", "closed"):
        return "stopped" if kind is Kind.RESOLUTION and resolved else "ended"
    return "paused" if status in terms.pauses else "running"


def _judged_by(fields: dict[What, str]) -> tuple[str, str]:
    table = {("1", "1"): "critical", ("4", "1"): "high", ("1", "2"): "critical", ("4", "2"): "medium"}
    derived = table.get((fields[What.IMPACT], fields[What.URGENCY]), fields[What.PRIORITY])
    return derived, fields[What.TYPE]


@settings(max_examples=400, deadline=None)
@given(histories(), terms(), st.sampled_from(Kind), st.integers(0, 4 * 1440))
def test_a_clock_is_what_living_through_every_minute_gives(
    facts: list[Fact], agreed: Terms, kind: Kind, now_min: int
) -> None:
    now = DAY + now_min * MINUTES

    measured = clock.measure(facts, agreed, kind, now)

    assert measured is not None
    state, used, paused, stopped_at, (priority, ticket_type) = counted(facts, agreed, kind, now)
    assert (
        measured.state,
        measured.elapsed,
        measured.paused,
        measured.stopped_at,
        measured.priority or "",
        measured.type or "",
    ) == (state, used, paused, stopped_at, priority, ticket_type)
    target = clock.target_for(agreed, kind, measured.priority, measured.type)
    assert measured.target == target
    assert measured.is_breached == (target is not None and used > target)


@settings(max_examples=300, deadline=None)
@given(
    histories(), terms(), st.sampled_from(Kind), st.integers(0, 4 * 1440), st.randoms(use_true_random=False)
)
def test_facts_may_come_late_twice_and_in_any_order(
    facts: list[Fact], agreed: Terms, kind: Kind, now_min: int, chance: random.Random
) -> None:
    now = DAY + now_min * MINUTES
    arrived = [*facts, *chance.sample(facts, k=len(facts) // 2)]
    chance.shuffle(arrived)

    assert clock.measure(arrived, agreed, kind, now) == clock.measure(facts, agreed, kind, now)


@settings(max_examples=300, deadline=None)
@given(histories(), terms(), st.sampled_from(Kind), st.integers(0, 4 * 1440))
def test_the_intervals_cover_the_time_without_gaps_and_add_up(
    facts: list[Fact], agreed: Terms, kind: Kind, now_min: int
) -> None:
    now = DAY + now_min * MINUTES

    measured = clock.measure(facts, agreed, kind, now)

    assert measured is not None
    intervals = measured.intervals
    assert intervals[0].from_at == measured.started_at
    assert [one.to_at for one in intervals[:-1]] == [one.from_at for one in intervals[1:]]
    assert all(one.to_at is None or one.from_at < one.to_at for one in intervals)
    assert intervals[-1].to_at is None
    assert all(one.cause in facts for one in intervals)
    for state, total in ((State.RUNNING, measured.elapsed), (State.PAUSED, measured.paused)):
        assert sum((one.service_time for one in intervals if one.state is state), timedelta()) == total


@settings(max_examples=300, deadline=None)
@given(histories(), terms(), st.sampled_from(Kind), st.integers(0, 4 * 1440))
def test_a_running_clock_is_breached_right_after_its_last_moment(
    facts: list[Fact], agreed: Terms, kind: Kind, now_min: int
) -> None:
    measured = clock.measure(facts, agreed, kind, DAY + now_min * MINUTES)
    if measured is None or measured.state is not State.RUNNING or measured.breaches_at is None:
        return
    last = max(fact.at for fact in facts)
    tick = timedelta(microseconds=1)

    moments = [moment for moment in (measured.breaches_at, measured.breaches_at + tick) if moment >= last]
    verdicts = [clock.measure(facts, agreed, kind, moment) for moment in moments]

    assert [one.is_breached for one in verdicts if one] == [False, True][2 - len(moments) :]
    assert measured.due_at is not None
    assert measured.due_at <= measured.breaches_at
