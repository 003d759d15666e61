"""How the pages about tickets and their queue put things: `{% load ticket_tags %}`."""

from __future__ import annotations

from datetime import datetime, timedelta

import nh3
from django import template
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.safestring import SafeString, mark_safe

from integrations.mapping.agreement import Verdict
from integrations.mapping.plan import text_of
from integrations.models import Delivery, Lane
from integrations.richtext.blocks import Document
from integrations.richtext.html import to_html
from integrations.services.budgets import LIMIT_CODES
from integrations.services.explaining import End
from integrations.services.file_comparison import FileVerdict
from integrations.services.timeline.entries import Entry, Fate
from integrations.services.waiting import Cause, Reason
from integrations.watch.conditions import Severity
from knowledgebase.rendering import render_markdown
from portal.drawing import Drawing
from portal.entering import write_duration
from portal.presentation import duration_words

register = template.Library()

register.filter("told", text_of)

LINKS = {"http", "https", "mailto", "tel"}

FATE_TONES = {
    Fate.DELIVERED: "green",
    Fate.UNDER_WAY: "azure",
    Fate.WAITING: "orange",
    Fate.VERIFYING: "azure",
    Fate.PARKED: "red",
    Fate.HELD: "orange",
    Fate.OVERTAKEN: "secondary",
    Fate.SKIPPED: "secondary",
}
VERDICT_TONES: dict[Verdict | FileVerdict, str] = {
    Verdict.EQUAL: "green",
    Verdict.MAPPED: "green",
    Verdict.DIFFERS: "red",
    Verdict.ONE_WAY: "orange",
    Verdict.UNDONE: "orange",
    Verdict.OWN: "secondary",
    Verdict.ABSENT: "secondary",
    # Equal and differs are the same words for a file.
    FileVerdict.CARRIED: "green",
    FileVerdict.UNMEASURED: "secondary",
    FileVerdict.STAND_IN: "orange",
    FileVerdict.UNDER_WAY: "azure",
    FileVerdict.SKIPPED: "secondary",
}
END_TONES = {
    End.ARRIVED: "green",
    End.EQUAL: "green",
    End.UNDER_WAY: "azure",
    End.STUCK: "red",
    End.HELD: "orange",
    End.UNDONE: "orange",
}
# Colours of the sides in timelines and bars: left, right.
SIDE_TONES = ("azure", "purple")


@register.filter
def rich(document: Document) -> SafeString:
    """A document as HTML.  It escapes by itself; the second gate is for what nobody has thought of."""
    clean = nh3.clean(to_html(document), url_schemes=LINKS, link_rel="noopener noreferrer nofollow")
    return mark_safe(clean)  # noqa: S308  # it is what nh3 let through


@register.filter
def fate_tone(fate: Fate) -> str:
    """The colour of a delivery's fate."""
    return FATE_TONES[fate]


@register.filter
def end_tone(end: End) -> str:
    """The colour of what became of a field's latest change."""
    return END_TONES.get(end, "secondary")


@register.filter
def verdict_tone(verdict: Verdict | FileVerdict) -> str:
    """The colour of a comparison's verdict."""
    return VERDICT_TONES[verdict]


@register.filter
def priority_tone(priority: str) -> str:
    """The colour of a priority."""
    return {"critical": "red", "high": "orange", "medium": "yellow"}.get(priority.lower(), "secondary")


@register.filter
def initials(entry: Entry) -> str:
    """Two letters for the round sign of an entry: the author's, or the company's."""
    words = (entry.author or entry.partner or "?").replace(".", " ").split()
    return (
        "".join(word[0] for word in (words[0], words[-1]) if len(words) > 1).upper() or words[0][:2].upper()
    )


@register.filter
def entry_title(entry: Entry) -> str:
    """Who did it, as the heading of an entry."""
    return entry.author or entry.partner


# What keeps a whole ticket, connection, side or system from moving, and its colour.
BY_AN_END: dict[Cause, tuple[str, str]] = {
    Cause.TICKET_PAUSED: ("Link paused", "orange"),
    Cause.CONNECTION_PAUSED: ("Connection paused", "orange"),
    Cause.SIDE_PAUSED: ("Side paused", "orange"),
    Cause.SYSTEM_STOPPED: ("System stopped", "red"),
    Cause.SYSTEM_PAUSED: ("System paused", "orange"),
    Cause.BREAKER: ("System not answering", "orange"),
}


@register.filter
def lane_state(lane: Lane, reason: Reason | None = None) -> str:
    """A lane's state as people see it: what it waits for, also where a whole end keeps it."""
    if lane.state != Lane.State.READY:
        return str(lane.get_state_display())
    if reason and reason.cause in BY_AN_END:
        if reason.cause is Cause.TICKET_PAUSED:
            return f"Link {lane.linked_ticket.get_state_display().lower()}"
        return BY_AN_END[reason.cause][0]
    if lane.failure_code in LIMIT_CODES:
        return "Waits for a limit"
    return "Tried again later" if lane.failure_code else "On its way"


@register.filter
def lane_tone(lane: Lane, reason: Reason | None = None) -> str:
    """The colour of a lane's state."""
    if lane.state == Lane.State.PARKED:
        return "red"
    if lane.state == Lane.State.READY and reason and reason.cause in BY_AN_END:
        return BY_AN_END[reason.cause][1]
    has_failed = lane.failure_code and lane.failure_code not in LIMIT_CODES
    return "orange" if lane.state == Lane.State.HELD or has_failed else "azure"


@register.filter
def severity_tone(severity: Severity) -> str:
    """The colour of how soon somebody has to look."""
    return {Severity.CRITICAL: "red", Severity.WARNING: "orange"}.get(severity, "azure")


@register.filter
def waiting(lane: Lane) -> int:
    """How many deliveries wait in a lane."""
    return lane.tail - lane.head + 1 if lane.waits else 0


@register.filter
def delivery_tone(delivery: Delivery) -> str:
    """The colour of a delivery's state."""
    return {"done": "green", "sent": "azure", "new": "orange"}.get(delivery.state, "secondary")


@register.filter
def axis_time(at: datetime, drawing: Drawing) -> str:
    """A tick's moment in the reader's zone: the time on a short axis, the day on a long one."""
    return format_date(timezone.localtime(at), "j M" if _spans_days(drawing) else "H:i")


@register.filter
def mark_time(at: datetime, drawing: Drawing) -> str:
    """A marked moment in the reader's zone, with the day where the axis spans several."""
    return format_date(timezone.localtime(at), "j M H:i" if _spans_days(drawing) else "H:i")


def _spans_days(drawing: Drawing) -> bool:
    return drawing.ticks[-1].at - drawing.ticks[0].at > timedelta(hours=36)


@register.filter
def minutes(value: float | None) -> str:
    """A number of minutes in words."""
    return duration_words(value * 60 if isinstance(value, int | float) else None)


@register.filter
def target(value: int | None) -> str:
    """A target in minutes as people enter it: in hours, because days of service differ."""
    return write_duration(value) or "–"


@register.filter
def outcome_tone(outcome: str) -> str:
    """The colour of an attempt's outcome."""
    return {"done": "green", "started": "azure", "refused": "red"}.get(outcome, "orange")


@register.filter
def markdown(text: str) -> SafeString:
    """A text of the handbook as HTML."""
    return render_markdown(text)
