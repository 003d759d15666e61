"""What can be wrong, and the verdict on plain facts: which conditions hold now, since when, and how bad each is.

Pure: no clock, no database.  A cause is named before its effects: while no worker runs, nobody is told of every lane
that therefore waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum, StrEnum


class Condition(StrEnum):
    """Everything an alert can be about.  The values are keys of the handbook."""

    WORKER_AWAY = "worker_away"
    SWEEP_AWAY = "sweep_away"
    WATCH_AWAY = "watch_away"
    BROKER_AWAY = "broker_away"
    DATABASE_AWAY = "database_away"
    MAIL_FAILING = "mail_failing"
    CREDENTIALS_REFUSED = "unauthorized"
    CREDENTIAL_EXPIRES = "credential_expires"
    SYSTEM_FAILING = "system_failing"
    POLL_STALLED = "poll_stalled"
    HOOK_MISSING = "hook_missing"
    HOOK_OFF = "hook_off"
    HOOK_SILENT = "hook_silent"
    LANES_PARKED = "lanes_parked"
    LANES_WAITING = "lanes_waiting"
    LANES_HELD = "lanes_held"
    ENDPOINT_FAILING = "endpoint_failing"
    ENDPOINT_DISABLED = "endpoint_disabled"
    TICKETS_GONE = "gone"
    DUPLICATE_TWIN = "duplicate_twin"
    DOUBLED_EFFECT = "doubled_effect"


class Severity(IntEnum):
    """How soon somebody has to look: some day, today, now."""

    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition is about.  Nothing named: the portal itself."""

    system: int | None = None
    connection: int | None = None
    endpoint: int | None = None

    @property
    def key(self) -> str:
        """One word for it, the same for the same subject."""
        named = [("system", self.system), ("connection", self.connection), ("endpoint", self.endpoint)]
        return "/".join(f"{name}:{pk}" for name, pk in named if pk is not None) or "portal"


@dataclass(frozen=True, slots=True)
class Standing:
    """A condition that holds now.  A higher `stage` is worse, and worth telling again."""

    code: Condition
    subject: Subject
    since: datetime
    severity: Severity
    message: str
    stage: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds now, and the codes about which nothing could be said: their alerts stay as they are."""

    standings: Sequence[Standing]
    unjudged: frozenset[Condition] = frozenset()


# --- Ages ---

# Beats come every second and every five seconds; so long without one is no hiccup.
WORKER_SILENT_AFTER = timedelta(seconds=60)
SWEEP_SILENT_AFTER = timedelta(minutes=2)
# The watcher may be a timer that starts it every five minutes.
WATCH_SILENT_AFTER = timedelta(minutes=15)
# So many failures in a row are an outage; fewer mend themselves before anybody has read of them.
FAILING_STREAK = 5

Ages = Sequence[tuple[timedelta, Severity]]

PARKED_AGES: Ages = (
    (timedelta(minutes=15), Severity.NOTICE),
    (timedelta(hours=1), Severity.WARNING),
    (timedelta(hours=24), Severity.CRITICAL),
)
WAITING_AGES: Ages = (
    (timedelta(minutes=15), Severity.WARNING),
    (timedelta(hours=1), Severity.WARNING),
    (timedelta(hours=24), Severity.CRITICAL),
)
# Somebody holds them on purpose; after a day it may have been forgotten.
HELD_AGES: Ages = ((timedelta(hours=24), Severity.NOTICE),)
FAILING_AGES: Ages = (
    (timedelta(0), Severity.WARNING),
    (timedelta(hours=1), Severity.CRITICAL),
    (timedelta(hours=24), Severity.CRITICAL),
)
# Days before a credential runs out at which people are reminded; 0 is the day itself.
REMINDERS = (
    (30, Severity.NOTICE),
    (14, Severity.NOTICE),
    (7, Severity.WARNING),
    (1, Severity.CRITICAL),
    (0, Severity.CRITICAL),
)


def stage_of(age: timedelta, ages: Ages) -> tuple[int, Severity] | None:
    """The last step that `age` has reached, counted from 1, and its severity; None before the first."""
    reached = [(number, severity) for number, (limit, severity) in enumerate(ages, 1) if age >= limit]
    return reached[-1] if reached else None


# --- The background work ---


@dataclass(frozen=True, slots=True)
class Background:
    """When each part of the background work was last heard of; None for never.

    `broker_answers` is None where nobody asked.
    """

    tick: datetime | None
    sweep: datetime | None
    watch: datetime | None
    broker_answers: bool | None = None


def judge_background(facts: Background, now: datetime) -> Verdict:
    """What of the background work has stopped.  A watcher that was never there is not missed."""
    found: list[Standing] = []
    is_worker_away = facts.tick is None or now - facts.tick > WORKER_SILENT_AFTER
    if is_worker_away:
        found.append(
            _portal(
                Condition.WORKER_AWAY,
                facts.tick or now,
                Severity.CRITICAL,
                "No worker runs: nothing is read and nothing is delivered.",
            )
        )
    elif facts.sweep is None or now - facts.sweep > SWEEP_SILENT_AFTER:
        found.append(
            _portal(
                Condition.SWEEP_AWAY,
                facts.sweep or now,
                Severity.WARNING,
                "No sweep ran: changes that no web hook told of are not found.",
            )
        )
    if facts.watch is not None and now - facts.watch > WATCH_SILENT_AFTER:
        found.append(
            _portal(
                Condition.WATCH_AWAY,
                facts.watch,
                Severity.WARNING,
                "The watcher outside the worker has stopped: nobody would notice if the worker died.",
            )
        )
    if facts.broker_answers is False:
        found.append(
            _portal(Condition.BROKER_AWAY, now, Severity.CRITICAL, "The message broker does not answer.")
        )
    unjudged = {Condition.BROKER_AWAY} if facts.broker_answers is None else set()
    if is_worker_away:
        unjudged.add(Condition.SWEEP_AWAY)
    return Verdict(found, frozenset(unjudged))


def _portal(code: Condition, since: datetime, severity: Severity, message: str) -> Standing:
    return Standing(code, Subject(), since, severity, message)


# --- Systems ---


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """What is known of one system.  `failing_since` is when its failures were first found too many."""

    pk: int
    name: str
    is_active: bool
    is_stopped: bool
    fail_streak: int
    failed_at: datetime | None
    failing_since: datetime | None
    polled_at: datetime | None
    poll_every: timedelta
    has_sides: bool


def judge_system(facts: SystemFacts, now: datetime) -> Standing | None:
    """What is wrong with a system, the cause before its effect; None while all is well or a person paused it."""
    subject = Subject(system=facts.pk)
    if facts.is_stopped:
        return Standing(
            Condition.CREDENTIALS_REFUSED,
            subject,
            facts.failed_at or now,
            Severity.CRITICAL,
            f"{facts.name} refuses Concord's credentials: nothing is tried there any more.",
        )
    if not facts.is_active or not facts.has_sides:
        return None
    if facts.fail_streak >= FAILING_STREAK:
        since = facts.failing_since or now
        stage, severity = stage_of(now - since, FAILING_AGES) or (1, Severity.WARNING)
        message = f"{facts.name} does not answer as it should. Its changes are collected."
        return Standing(Condition.SYSTEM_FAILING, subject, since, severity, message, stage)
    # An answer may take its time, and a system that failed a moment ago is left in peace for a while.
    patience = max(5 * facts.poll_every, timedelta(minutes=15))
    if facts.polled_at is not None and now - facts.polled_at > patience:
        message = f"{facts.name} has not been asked for changes: its cursor stands still."
        return Standing(Condition.POLL_STALLED, subject, facts.polled_at, Severity.WARNING, message)
    return None


@dataclass(frozen=True, slots=True)
class Expiry:
    """A credential with the last day on which it holds."""

    system: int
    system_name: str
    label: str
    on: date


def days_left(on: date, today: date) -> int:
    """How many days until it runs out; negative when it has."""
    return (on - today).days


def judge_expiries(expiries: Iterable[Expiry], now: datetime) -> list[Standing]:
    """One standing a system whose credentials run out soon, about the first of them.  Days are counted in UTC."""
    first: dict[int, Expiry] = {}
    for one in expiries:
        if one.system not in first or one.on < first[one.system].on:
            first[one.system] = one
    return [found for one in first.values() if (found := _judge_expiry(one, now))]


def _judge_expiry(expiry: Expiry, now: datetime) -> Standing | None:
    left = days_left(expiry.on, now.date())
    reached = [(number, severity) for number, (limit, severity) in enumerate(REMINDERS, 1) if left <= limit]
    if not reached:
        return None
    stage, severity = reached[-1]
    when = _when(left)
    message = f"{expiry.label} of {expiry.system_name} {when}."
    since = datetime.combine(expiry.on - timedelta(days=REMINDERS[0][0]), time.min, UTC)
    return Standing(
        Condition.CREDENTIAL_EXPIRES, Subject(system=expiry.system), since, severity, message, stage
    )


def _when(left: int) -> str:
    if left < 0:
        return f"ran out {-left} day{'' if left == -1 else 's'} ago"
    if left == 0:
        return "runs out today"
    return f"runs out in {left} day{'' if left == 1 else 's'}"


# --- Lanes ---


@dataclass(frozen=True, slots=True)
class LaneGroup:
    """Lanes of one connection to one system that wait in the same state; `target` names that system.

    `is_explained`: the system is stopped, failing or paused, which is told elsewhere or was wanted.
    """

    connection: int
    system: int
    connection_name: str
    target: str
    state: str
    count: int
    oldest: datetime
    is_explained: bool = False


def judge_lanes(groups: Iterable[LaneGroup], now: datetime) -> list[Standing]:
    """One standing for each group that is old enough to be told."""
    return [found for one in groups if (found := _judge_lanes(one, now))]


def _judge_lanes(group: LaneGroup, now: datetime) -> Standing | None:
    lanes = "1 lane" if group.count == 1 else f"{group.count} lanes"
    verb = "waits" if group.count == 1 else "wait"
    if group.state == "parked":
        code, ages, what = Condition.LANES_PARKED, PARKED_AGES, f"{verb} for a person"
    elif group.state == "held":
        # Of several only the oldest is known to be held so long.
        whose = "" if group.count == 1 else ", the oldest"
        code, ages, what = Condition.LANES_HELD, HELD_AGES, f"held{whose} for more than a day"
    elif group.is_explained:
        return None
    else:
        code, ages, what = Condition.LANES_WAITING, WAITING_AGES, f"{verb}, although nobody stopped anything"
    reached = stage_of(now - group.oldest, ages)
    if reached is None:
        return None
    stage, severity = reached
    message = f"{lanes} to {group.target} {what}."
    subject = Subject(system=group.system, connection=group.connection)
    return Standing(code, subject, group.oldest, severity, message, stage)


# --- All together ---


def judge(
    background: Background,
    systems: Iterable[SystemFacts],
    expiries: Iterable[Expiry],
    lanes: Iterable[LaneGroup],
    others: Iterable[Standing],
    now: datetime,
) -> Verdict:
    """Everything that holds now.  While the worker or the sweep is away, its effects are not judged."""
    first = judge_background(background, now)
    codes = {one.code for one in first.standings}
    unjudged = set(first.unjudged)
    if Condition.WORKER_AWAY in codes:
        unjudged |= {Condition.POLL_STALLED, Condition.LANES_WAITING, Condition.SYSTEM_FAILING}
    if Condition.SWEEP_AWAY in codes:
        unjudged.add(Condition.POLL_STALLED)
    found = [
        *first.standings,
        *(one for facts in systems if (one := judge_system(facts, now))),
        *judge_expiries(expiries, now),
        *judge_lanes(lanes, now),
        *others,
    ]
    return Verdict([one for one in found if one.code not in unjudged], frozenset(unjudged))
