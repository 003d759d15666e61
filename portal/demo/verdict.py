"""Compares what is left of the story with what should be: both systems' whole content, the clocks, the queue.

A check that finds nothing holds; otherwise it says what is there and what should be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.models import Attempt, Delivery, LinkedTicket
from integrations.services.comparison import compare
from portal.demo import ending
from portal.demo.seed import JIRA
from portal.demo.shapes import ClockEnding, Ending, File, Said
from portal.demo.stage import Content, Stage, title_of
from portal.demo.story import Story
from slas.models import Clock

SECOND = timedelta(seconds=1)
# Systems note milliseconds, databases microseconds, and one of them rounds.
CLOSE = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One question and what was found wrong; nothing wrong means that it holds."""

    question: str
    found: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return not self.found


def judge(stage: Stage, story: Story) -> list[Check]:
    """All checks, in the order in which people read them.  Nothing may be under way any more."""
    contents = {name: list(sandbox.tickets()) for name, sandbox in stage.sandboxes.items()}
    checks = []
    for name, tickets in contents.items():
        wanted = ending.TICKETS[name]
        checks.append(
            Check(f"{name} has these {len(wanted)} tickets and no other", _same_titles(wanted, tickets))
        )
        for ticket in tickets:
            if (end := wanted.get(title_of(ticket))) is not None:
                question = f"{name} {ticket['key']} is as it should be: {_extent(end)}"
                checks.append(Check(question, tuple(differences(end, ticket))))
    checks.append(Check("The internal note has not left Zendesk", _leaks(contents[JIRA])))
    checks.append(Check("Every ticket is linked, and Concord finds both sides equal", tuple(_unequal(story))))
    checks.append(
        Check("Every change has arrived, in its order, and none was sent twice", tuple(_deliveries()))
    )
    checks.append(Check("Every web hook was taken", tuple(_hooks(stage))))
    for title, clocks in ending.CLOCKS.items():
        question = f"“{title}”: response and resolution by the systems' own times"
        checks.append(Check(question, tuple(_clocks(title, clocks, story))))
    return checks


# --- Content ---


def _same_titles(wanted: Mapping[str, Ending], tickets: Sequence[Content]) -> tuple[str, ...]:
    there = sorted(title_of(one) for one in tickets)
    return () if there == sorted(wanted) else (f"There are: {', '.join(there) or 'none'}.",)


def _extent(end: Ending) -> str:
    parts = {
        "field": len(end.fields),
        "comment": len(end.comments),
        "file": len(end.files),
        "change": end.changes,
    }
    return ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in parts.items())


def differences(end: Ending, ticket: Content) -> Iterator[str]:
    """What of a ticket's whole content is not as it should be, one sentence each."""
    fields = ticket["fields"]
    for name in sorted(end.fields.keys() | fields.keys()):
        if fields.get(name) != end.fields.get(name) or name not in fields or name not in end.fields:
            yield _instead(name, fields.get(name), end.fields.get(name))
    yield from _listed("comment", tuple(_said(one) for one in ticket["comments"]), end.comments)
    files = tuple(File(one["name"], one["size"], one["sha256"]) for one in ticket["attachments"])
    yield from _listed("file", files, end.files)
    if ticket["history_length"] != end.changes:
        yield _instead("The number of changes", ticket["history_length"], end.changes)
    if _names(ticket) != end.properties:
        yield _instead("The ticket's named values", _names(ticket), end.properties)
    times = [one["created_at"] for one in ticket["comments"]]
    if times != sorted(times):
        yield f"The comments were not written in this order: {', '.join(times)}."


def _said(comment: Content) -> Said:
    return Said(
        comment["author"], comment["text"], comment["body"], comment["public"], properties=_names(comment)
    )


def _names(holder: Content) -> tuple[str, ...]:
    """The names of the values that only programs see; Zendesk has none."""
    return tuple(sorted(holder.get("properties", ())))


def _listed(name: str, there: Sequence[object], wanted: Sequence[object]) -> Iterator[str]:
    for number, (one, other) in enumerate(zip(there, wanted, strict=False), 1):
        if one != other:
            yield _instead(f"The {name} number {number}", one, other)
    for one in there[len(wanted) :]:
        yield f"One {name} too many: {one}."
    for one in wanted[len(there) :]:
        yield f"One {name} is missing: {one}."


def _instead(name: str, there: object, wanted: object) -> str:
    return f"{name} is {there!r} and should be {wanted!r}."


def _leaks(tickets: Sequence[Content]) -> tuple[str, ...]:
    everything = json.dumps(tickets)
    return (f"Jira holds the words “{ending.INTERNAL}”.",) if ending.INTERNAL in everything else ()


# --- Concord's own records ---


def _unequal(story: Story) -> Iterator[str]:
    linked = list(LinkedTicket.objects.all())
    if len(linked) != len(ending.CLOCKS):
        yield _instead("The number of linked tickets", len(linked), len(ending.CLOCKS))
    for one in linked:
        sides = {
            side.side.system.name: side.ticket for side in one.sides.select_related("side__system", "ticket")
        }
        for system, ticket in sides.items():
            if ticket is None or ticket.remote_id != story.ids.get((system, one.title)):
                yield f"{one.number}, “{one.title}”, is not linked to its ticket in {system}."
        for row in compare(one).rows:
            if row.verdict == "differs":
                yield f"{one.number}: {row.label} is {row.left!r} here and {row.right!r} there."


def _deliveries() -> Iterator[str]:
    for delivery in Delivery.objects.exclude(state=Delivery.State.DONE):
        yield f"{delivery} ({delivery.operation}) is {delivery.get_state_display().lower()}."
    seen: dict[int, datetime] = {}
    for delivery in Delivery.objects.filter(done_at__isnull=False).order_by("lane", "number"):
        assert delivery.done_at is not None
        if delivery.done_at < seen.get(delivery.lane_id, delivery.done_at):
            yield f"{delivery} arrived before the one in front of it."
        seen[delivery.lane_id] = delivery.done_at
    doubtful = Attempt.objects.exclude(outcome__in=(Attempt.Result.DONE, Attempt.Result.RETRY))
    for attempt in doubtful.select_related("delivery"):
        yield f"{attempt.delivery}: {attempt.get_outcome_display().lower()}, {attempt.message}"


def _hooks(stage: Stage) -> Iterator[str]:
    for name, sandbox in stage.sandboxes.items():
        counts: Mapping[str, Any] = sandbox.hooks()["delivery"]
        if not counts["sent"] or counts["failed"] or counts["retried"]:
            yield f"{name}: {counts['sent']} taken, {counts['retried']} repeated, {counts['failed']} given up."


# --- Clocks ---


def _clocks(title: str, wanted: Sequence[ClockEnding], story: Story) -> Iterator[str]:
    rows = {row.kind: row for row in Clock.objects.filter(linked_ticket__title=title)}
    if sorted(rows) != sorted(one.kind for one in wanted):
        yield f"There are these clocks: {', '.join(sorted(rows)) or 'none'}."
    marks = {name: at for (of, name), at in story.marks.items() if of == title}
    for end in wanted:
        if end.kind in rows:
            yield from clock_differences(end, rows[end.kind], marks)


def clock_differences(end: ClockEnding, row: Clock, marks: Mapping[str, datetime]) -> Iterator[str]:
    """What of a stored clock does not follow from the moments at which things happened, one sentence each."""
    opened, stopped = marks["opened"], marks[end.stopped] if end.stopped else None
    paused = marks[end.pause[1]] - marks[end.pause[0]] if end.pause else timedelta()
    # What has passed since a clock last changed its state is not in its row but added when it is shown.
    counted_to = stopped or (marks[end.pause[1]] if end.pause else opened)
    used = counted_to - opened - paused
    wanted: dict[str, object] = {
        "state": Clock.State.STOPPED if stopped else Clock.State.RUNNING,
        "priority": end.priority,
        "target_s": end.target_min * 60,
        "is_breached": end.is_breached,
        "elapsed_s": used // SECOND,
        "paused_s": paused // SECOND,
        "wall_s": (stopped - opened) // SECOND if stopped else None,
    }
    for name, value in wanted.items():
        if getattr(row, name) != value:
            yield f"{end.kind}: {_instead(name, getattr(row, name), value)}"
    due = opened + timedelta(minutes=end.target_min) + paused
    moments = {"started_at": (row.started_at, opened), "stopped_at": (row.stopped_at, stopped)}
    moments["due_at"] = (row.due_at, due)
    for name, (there, moment) in moments.items():
        if (there is None) != (moment is None) or (there and moment and abs(there - moment) > CLOSE):
            yield f"{end.kind}: {_instead(name, str(there), str(moment))}"
