"""The service level clocks of one ticket as cards, and as a drawing of when each ran and when it paused.

The numbers are computed from the facts at this moment (slas.services.explain), not read from what was stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from integrations.models import LinkedTicket
from portal.access import Someone, rights_of
from portal.drawing import BOTTOM, LEFT, ROW, TOP, WIDTH, Bar, Drawing, Line, Mark, Scale
from portal.presentation import duration_words
from slas.clock import Interval, Kind, Measurement, State
from slas.models import Agreement, Clock
from slas.services import Explained, Live, explain, live

# From this share of its target on a running clock is at risk.
RISK_SHARE = 0.75

WORDS = {Kind.RESPONSE: "Response", Kind.RESOLUTION: "Resolution"}


@dataclass(frozen=True, slots=True)
class Card:
    """One clock: what it shows in large, what explains it, and how much of the target is used (0 to 100)."""

    label: str
    agreement: str
    badge: str
    tone: str
    large: str
    small: str
    due_at: datetime | None
    since: datetime | None
    used: int | None
    intervals: Sequence[Interval]


def agreements_of(user: Someone, resource: str = "reports") -> QuerySet[Agreement]:
    """Agreements with a party at which the person may read this."""
    places = rights_of(user).partner_ids(resource, "read")
    found = Agreement.objects.visible_to(user)
    return found if places is None else found.filter(Q(customer__in=places) | Q(provider__in=places))


def clocks_of(user: Someone, linked: LinkedTicket, now: datetime) -> tuple[list[Card], Drawing | None]:
    """The clocks that the person may see, as cards and as a drawing; None without any.  Three queries."""
    agreements = {one.pk: one for one in agreements_of(user)}
    found = [one for one in explain(linked, now) if one.agreement_id in agreements]
    cards = [_card(one, agreements[one.agreement_id], now) for one in found]
    return cards, _drawing(found, cards, now)


@dataclass(frozen=True, slots=True)
class Soonest:
    """The clock of a ticket that runs out first, for lists."""

    label: str
    words: str
    tone: str


def soonest_of(user: Someone, keys: Sequence[int], now: datetime) -> dict[int, Soonest]:
    """Linked ticket -> the clock at work that has the least time left.  Clocks without a target are left out."""
    agreements = list(agreements_of(user).values_list("pk", flat=True))
    clocks = Clock.objects.visible_to(user).of_agreements(agreements).at_work()
    shown = live(clocks.filter(linked_ticket__in=keys, target_s__isnull=False), now)
    found: dict[int, Live] = {}
    for one in shown:
        known = found.get(one.clock.linked_ticket_id)
        if known is None or _left(one) < _left(known):
            found[one.clock.linked_ticket_id] = one
    return {key: _soonest(one) for key, one in found.items()}


def _left(one: Live) -> timedelta:
    return one.remaining or timedelta()


def _soonest(one: Live) -> Soonest:
    left, label = _left(one), WORDS[Kind(one.clock.kind)]
    if left < timedelta():
        return Soonest(label, f"{duration_words(-left)} over", "red")
    words = f"{duration_words(left)} left"
    if one.clock.state == Clock.State.PAUSED:
        return Soonest(label, f"{words}, paused", "secondary")
    return Soonest(label, words, "orange" if (one.used_share or 0) >= RISK_SHARE else "azure")


def _card(one: Explained, agreement: Agreement, now: datetime) -> Card:
    measured = one.measurement
    badge, tone = _badge(measured)
    large, small = _words(measured, now)
    used = None if measured.target is None else round(min(measured.elapsed / measured.target, 1) * 100)
    return Card(
        label=WORDS[measured.kind],
        agreement=agreement.name,
        badge=badge,
        tone=tone,
        large=large,
        small=small,
        due_at=measured.due_at if measured.state is State.RUNNING else None,
        since=measured.intervals[-1].from_at if measured.state is not State.RUNNING else None,
        used=used,
        intervals=measured.intervals,
    )


def _badge(measured: Measurement) -> tuple[str, str]:
    """The word and the colour of a clock's standing."""
    if measured.is_breached:
        return "Breached", "red"
    if measured.state is State.STOPPED:
        return ("Met", "green") if measured.target is not None else ("Stopped", "secondary")
    if measured.state is State.ENDED:
        return "Ended without", "secondary"
    if measured.state is State.PAUSED:
        return "Paused", "secondary"
    share = measured.elapsed / measured.target if measured.target else 0
    return ("At risk", "orange") if share >= RISK_SHARE else ("Running", "azure")


def _words(measured: Measurement, now: datetime) -> tuple[str, str]:
    """What a clock shows in large, and the sentence below."""
    elapsed, target = duration_words(measured.elapsed), measured.target
    if measured.state is State.STOPPED:
        return elapsed, f"Target {duration_words(target)}" if target else "No target"
    if target is None:
        return elapsed, "No target for this priority and type"
    left = measured.remaining or timedelta()
    large = f"{duration_words(left)} left" if left >= timedelta() else f"{duration_words(-left)} over"
    small = f"{elapsed} of {duration_words(target)} used"
    if measured.state in (State.PAUSED, State.ENDED):
        small = f"{small}; {measured.intervals[-1].why}"
    return large, small


# --- Drawing ---

FILLS = {State.RUNNING: "#4299e1", State.PAUSED: "#d5d8dc", State.STOPPED: "#2fb344", State.ENDED: "#d5d8dc"}
LATE = "#d63939"


def _drawing(found: Sequence[Explained], cards: Sequence[Card], now: datetime) -> Drawing | None:
    """Nothing is drawn of a ticket that has just been opened: there is nothing to see yet."""
    if not found:
        return None
    start = min(one.measurement.started_at for one in found)
    dues = [one.measurement.due_at for one in found if one.measurement.state is State.RUNNING]
    ends = [one.measurement.stopped_at for one in found if one.measurement.stopped_at]
    is_over = all(one.measurement.state in (State.STOPPED, State.ENDED) for one in found)
    end = max([*(due for due in dues if due), *ends, *([] if is_over else [now])], default=now)
    if end - start < timedelta(minutes=1):
        return None
    end += (end - start) * 0.03
    scale = Scale(start, end)
    lines = tuple(
        Line(TOP + ROW * place, card.label, card.agreement, _bars(one.measurement, scale, now))
        for place, (one, card) in enumerate(zip(found, cards, strict=True))
    )
    marks = [] if is_over else [Mark(scale.x(now), now, "now", "#d63939")]
    if earliest := min((due for due in dues if due), default=None):
        marks.append(Mark(scale.x(earliest), earliest, "due", "#626976"))
    return Drawing(WIDTH, TOP + ROW * len(lines) + BOTTOM, LEFT, lines, scale.ticks(), tuple(marks))


def _bars(measured: Measurement, scale: Scale, now: datetime) -> tuple[Bar, ...]:
    found = []
    for interval in measured.intervals:
        if interval.state in (State.STOPPED, State.ENDED):
            continue
        x = scale.x(interval.from_at)
        width = max(scale.x(interval.to_at or now) - x, 1.5)
        words = f"{interval.state.capitalize()}: {interval.why}, {duration_words(interval.service_time)} of service time"
        found.append(Bar(x, round(width, 1), FILLS[interval.state], words))
        late_x = scale.x(measured.due_at) if measured.is_breached and measured.due_at else x + width
        if interval.state is State.RUNNING and x + width > late_x:
            late_x = max(x, late_x)
            found.append(Bar(late_x, round(x + width - late_x, 1), LATE, f"Past the target. {words}"))
    return tuple(found)
