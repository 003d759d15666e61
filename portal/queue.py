"""The queue as one person may see it: lanes that wait, page by page, and what may be known of each.

Of a failure both companies may know that there is one, and its kind.  The sentence itself may quote a value of the
sender (its own rules could not map it) or of the receiver (its system refused it), and is shown to that company and to
those who see all partners.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, Min, OuterRef, QuerySet
from django.shortcuts import get_object_or_404

from integrations.models import (
    Connection,
    Delivery,
    Lane,
    LinkedTicket,
    Partner,
    PartnerTicket,
    Side,
    System,
    TicketSide,
)
from integrations.querysets import LaneQuerySet
from integrations.services.budgets import Holding, holding_of, holdings
from integrations.services.conflicts import CODE as CONFLICT
from integrations.services.timeline.fates import what_of
from integrations.services.timeline.viewers import Viewer
from integrations.services.waiting import Reason, is_outcome_unknown, reason_of
from integrations.watch.conditions import (
    FAILING_STREAK,
    HELD_AGES,
    PARKED_AGES,
    WAITING_AGES,
    Severity,
    stage_of,
)
from knowledgebase.models import Article
from knowledgebase.search import articles_for
from portal import ticket_search as search
from portal.access import Someone, rights_of
from portal.keyset import KeyPage, key_page
from portal.queue_fields import explained_fields
from portal.tickets import require_at_one, title_for, viewer_of

# The orders of the list; the longest wait is the one to look at.
OLDEST = "oldest"
ORDERS = {
    OLDEST: ("waits_since", "pk"),
    "newest": ("-waits_since", "-pk"),
    "next": ("next_at", "pk"),
}
# The steps at which alerts are raised.
AGES = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "24h": timedelta(hours=24)}
# What a row does not tell: the list of its system's fields is long, and would be read again with every row.
UNREAD = ("side__system__metadata",)
# Lanes whose tickets are named one by one when words are looked for that many tickets have.
MOST_BY_KEY = 30_000
# A system's lanes are folded into one row when there are more than so many: while it takes no calls, and in any case.
FOLDED_WHEN_AWAY = 5
FOLDED_WHEN_MANY = 50


@dataclass(frozen=True, slots=True)
class QueueCriteria:
    """What the queue is narrowed to, and its order.

    `state` is a lane's, "failing" (tried in vain and to be tried again) or "unknown" (may have arrived already).
    """

    state: str = ""
    connection: Connection | None = None
    partner: Partner | None = None
    system: System | None = None
    code: str = ""
    age: str = ""
    words: str = ""
    order: str = OLDEST

    def __bool__(self) -> bool:
        named = (self.state, self.connection, self.partner, self.system, self.code, self.age, self.words)
        return any(named)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane in which something waits.  `alarm` is how old it is in the steps of alerts; None before the first."""

    lane: Lane
    title: str
    sender: str
    sender_system: str
    receiver: str
    receiver_system: str
    head: Delivery | None
    what: str
    count: int
    age: timedelta
    alarm: Severity | None
    reason: Reason
    failure: str
    # The limit of the receiver's system that it waits for; then nothing has failed.
    holding: Holding | None
    article: Article | None
    system: System
    # A field that waits, for the page that explains why it holds what it holds.
    field_name: str = ""

    @property
    def asks(self) -> bool:
        """Whether both sides changed a field, and somebody has to say which value stands."""
        return self.lane.state == Lane.State.PARKED and self.lane.failure_code == CONFLICT

    @property
    def is_blocked(self) -> bool:
        """Whether the other system takes no calls now, so that the lane cannot move although it may."""
        return self.system.state != System.State.ACTIVE

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the first delivery may have arrived already."""
        return is_outcome_unknown(self.head)


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many lanes wait for one reason, and the article about it."""

    code: str
    count: int
    article: Article | None


@dataclass(slots=True)
class SystemGroup:
    """The lanes that wait for one system.  `trouble` says why none of them can move; empty while it takes calls."""

    system: System
    trouble: str
    count: int = 0
    parked: int = 0
    held: int = 0
    oldest: datetime | None = None
    is_folded: bool = False
    is_unfolded: bool = False
    # Which systems are unfolded after a click on this one.
    toggled: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Groups:
    """What waits, system by system."""

    systems: list[SystemGroup] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many lanes there are."""
        return sum(one.count for one in self.systems)

    @property
    def folded(self) -> list[SystemGroup]:
        """Systems whose lanes stand in one row."""
        return [one for one in self.systems if one.is_folded]

    @property
    def shown(self) -> list[SystemGroup]:
        """Systems that have a row: folded, or unfolded by the reader."""
        return [one for one in self.systems if one.is_folded or one.is_unfolded]


def lanes_for(user: Someone, criteria: QueueCriteria, *, now: datetime) -> LaneQuerySet:
    """Lanes that wait and that the person may see."""
    lanes = _in_state(reachable(user).waiting(), criteria.state)
    if criteria.connection:
        lanes = lanes.filter(connection=criteria.connection)
    if criteria.partner:
        lanes = lanes.filter(system__partner=criteria.partner)
    if criteria.system:
        lanes = lanes.filter(system=criteria.system)
    if criteria.age in AGES:
        lanes = lanes.filter(waits_since__lte=now - AGES[criteria.age])
    if criteria.words:
        lanes = _with_words(lanes, criteria.words, viewer_of(user, "queue"))
    return lanes.filter(failure_code=criteria.code) if criteria.code else lanes


def groups_of(
    lanes: LaneQuerySet, criteria: QueueCriteria, unfolded: Collection[int] = (), *, now: datetime
) -> Groups:
    """How many of these lanes wait for each system, the most first, and which of them are folded into a row.  Two queries.

    Whoever asks for one system wants to see its lanes; otherwise a dead one, or one with very many, would hide the rest.
    """
    counted = (
        lanes.order_by().values_list("system", "state").annotate(count=Count("pk"), oldest=Min("waits_since"))
    )
    rows = list(counted)
    systems = System.objects.select_related("partner").in_bulk({row[0] for row in rows})
    found: dict[int, SystemGroup] = {}
    for system_id, state, count, oldest in rows:
        system = systems[system_id]
        group = found.setdefault(system_id, SystemGroup(system, trouble_of(system, now)))
        group.count += count
        group.parked += count if state == Lane.State.PARKED else 0
        group.held += count if state == Lane.State.HELD else 0
        group.oldest = min(filter(None, (group.oldest, oldest)), default=None)
    for group in found.values():
        is_large = group.count > (FOLDED_WHEN_AWAY if group.trouble else FOLDED_WHEN_MANY)
        may_fold = is_large and criteria.system is None and (len(found) > 1 or bool(group.trouble))
        group.is_unfolded = may_fold and group.system.pk in unfolded
        group.is_folded = may_fold and not group.is_unfolded
        group.toggled = sorted({*unfolded} ^ {group.system.pk})
    return Groups(sorted(found.values(), key=lambda one: (-one.count, one.system.name)))


def systems_met_by(user: Someone) -> QuerySet[System]:
    """Systems at the ends of the person's connections: those in whose lanes something of theirs may wait."""
    ends = Side.objects.filter(connection__in=Connection.objects.visible_to(user).values("pk"))
    return System.objects.filter(pk__in=ends.values("system"))


def lanes_to(user: Someone, system: System) -> int:
    """How many lanes that the person may see wait for a system.  One query."""
    return reachable(user).waiting().filter(system=system).count()


def trouble_of(system: System, now: datetime) -> str:
    """Why nothing can be delivered to a system now; empty when it takes calls."""
    if system.state != System.State.ACTIVE:
        return f"is {system.get_state_display().lower()}"
    is_left_alone = system.paused_until is not None and system.paused_until > now
    return "does not answer as it should" if is_left_alone or system.fail_streak >= FAILING_STREAK else ""


def lane_page(
    lanes: LaneQuerySet,
    viewer: Viewer,
    order: str,
    token: str,
    *,
    now: datetime,
    without: Collection[SystemGroup] = (),
    size: int = 50,
) -> KeyPage:
    """One page of them as rows, in the order asked for; those of the systems `without` stand elsewhere."""
    if without:
        lanes = lanes.exclude(system__in=[one.system.pk for one in without])
    page = key_page(lanes, ORDERS.get(order, ORDERS[OLDEST]), token, size)
    return KeyPage(lane_rows(page.rows, viewer, now=now), page.previous, page.next)


def find_all(user: Someone, criteria: QueueCriteria, *, now: datetime, size: int = 500) -> Iterator[LaneRow]:
    """Every lane that waits, page after page: memory does not grow with their number."""
    lanes, viewer, token = lanes_for(user, criteria, now=now), viewer_of(user, "queue"), ""
    while True:
        page = lane_page(lanes, viewer, criteria.order, token, now=now, size=size)
        yield from page.rows
        token = page.next
        if not token:
            return


def lane_rows(lanes: Sequence[Lane], viewer: Viewer, *, now: datetime) -> list[LaneRow]:
    """Lanes as rows.  Seven queries at most, however many."""
    keys = [lane.pk for lane in lanes]
    heads = {one.lane_id: one for one in Delivery.objects.filter(lane__in=keys, number=F("lane__head"))}
    sides: dict[int, list[TicketSide]] = {}
    for one in (
        TicketSide.objects.filter(linked_ticket__in={lane.linked_ticket_id for lane in lanes})
        .select_related("side__system__partner", "ticket", "linked_ticket__connection")
        .defer(*UNREAD)
    ):
        sides.setdefault(one.linked_ticket_id, []).append(one)
    articles = articles_for(lane.failure_code for lane in lanes)
    held = holdings({lane.system_id for lane in lanes}, now=now)
    names = explained_fields(lanes, heads)
    return [
        _row(lane, sides[lane.linked_ticket_id], heads.get(lane.pk), articles, viewer, held, names, now)
        for lane in lanes
    ]


def codes_for(user: Someone) -> list[CodeCount]:
    """Reasons for which lanes wait, the most frequent first."""
    counted = reachable(user).waiting().exclude(failure_code="").values_list("failure_code")
    found = list(counted.annotate(count=Count("pk")).order_by("-count", "failure_code")[:12])
    articles = articles_for(code for code, _ in found)
    return [CodeCount(code, count, articles.get(code)) for code, count in found]


@dataclass(frozen=True, slots=True)
class Standing:
    """The queue in a few numbers."""

    lanes: int = 0
    parked: int = 0
    held: int = 0
    oldest: datetime | None = None


def standing_for(user: Someone) -> Standing:
    """How many lanes wait, how many of them for a person, and since when the oldest does.  One query by state."""
    found = (
        reachable(user).waiting().values_list("state").annotate(count=Count("pk"), oldest=Min("waits_since"))
    )
    by_state = {state: (count, oldest) for state, count, oldest in found}
    moments = [oldest for _, oldest in by_state.values() if oldest]
    return Standing(
        lanes=sum(count for count, _ in by_state.values()),
        parked=by_state.get(Lane.State.PARKED, (0, None))[0],
        held=by_state.get(Lane.State.HELD, (0, None))[0],
        oldest=min(moments, default=None),
    )


def delivery_for(user: Someone, pk: int, action: str = "read") -> Delivery:
    """The delivery with its lane; 404 when it is none of the person's, 403 when its roles do not allow this."""
    found = get_object_or_404(
        Delivery.objects.select_related(
            "event",
            "outgoing",
            "incoming",
            "lane__linked_ticket",
            "lane__system__partner",
            "lane__target",
            "lane__connection",
        ).filter(lane__in=Lane.objects.visible_to(user)),
        pk=pk,
    )
    require_at_one(user, action, "queue", ends_of(found.lane))
    return found


def actable(user: Someone, lane_ids: Sequence[int], action: str = "write") -> list[int]:
    """Those of these lanes that the person may act on, in their order; the others are left out in silence."""
    allowed = set(reachable(user, action).filter(pk__in=lane_ids).values_list("pk", flat=True))
    return [lane_id for lane_id in lane_ids if lane_id in allowed]


def reachable(user: Someone, action: str = "read") -> LaneQuerySet:
    """Lanes at one end of which the person may do this."""
    lanes: LaneQuerySet = Lane.objects.visible_to(user)
    places = rights_of(user).partner_ids("queue", action)
    if places is None:
        return lanes
    own = PartnerTicket.objects.filter(linked_ticket=OuterRef("linked_ticket"), partner__in=places)
    return lanes.filter(Exists(own))


def known_failure(lane: Lane, head: Delivery | None, viewer: Viewer, sender_id: int, receiver_id: int) -> str:
    """The sentence about a lane's failure, or as much of it as this viewer may know."""
    if not lane.failure_message:
        return ""
    whose = sender_id if head and head.problem else receiver_id
    if viewer.sees_all or whose in viewer.partner_ids:
        return lane.failure_message
    return "The sender has to look at it." if head and head.problem else "The receiver has to look at it."


def ends_of(lane: Lane) -> list[int]:
    """The partners at both ends of a lane."""
    sides = Side.objects.filter(connection=lane.connection_id)
    return list(sides.values_list("system__partner", flat=True))


def alarm_of(lane: Lane, now: datetime) -> Severity | None:
    """How old a lane is in the steps at which alerts are raised; None before the first of them."""
    if lane.waits_since is None:
        return None
    ages = {Lane.State.PARKED.value: PARKED_AGES, Lane.State.HELD.value: HELD_AGES}.get(
        lane.state, WAITING_AGES
    )
    reached = stage_of(now - lane.waits_since, ages)
    return reached[1] if reached else None


def _in_state(lanes: LaneQuerySet, state: str) -> LaneQuerySet:
    if state == "failing":
        return lanes.filter(state=Lane.State.READY).exclude(failure_code="")
    if state == "unknown":
        sent = Delivery.objects.filter(
            lane=OuterRef("pk"), number=OuterRef("head"), state=Delivery.State.SENT
        )
        return lanes.filter(Exists(sent))
    return lanes.filter(state=state) if state else lanes


def _with_words(lanes: LaneQuerySet, words: str, viewer: Viewer) -> LaneQuerySet:
    """By number (LT-12), by the key that a ticket has in its own system, or by words of the title."""
    found = search.find(words, viewer)
    if found.is_all:
        return lanes.filter(linked_ticket__in=found.linked)
    # Many have the words, and few of them wait: told those by their keys, no database begins with the many.
    waiting = list(lanes.order_by().values_list("linked_ticket", flat=True)[: MOST_BY_KEY + 1])
    if len(waiting) > MOST_BY_KEY:
        return lanes.filter(Exists(search.sides_with(words, viewer, OuterRef("linked_ticket"))))
    sides = search.sides_with(words, viewer, waiting)
    return lanes.filter(linked_ticket__in=set(sides.values_list("linked_ticket", flat=True)))


def _row(
    lane: Lane,
    sides: Sequence[TicketSide],
    head: Delivery | None,
    articles: dict[str, Article],
    viewer: Viewer,
    held: Mapping[int, Holding],
    names: Mapping[int, str],
    now: datetime,
) -> LaneRow:
    target = next(one for one in sides if one.side_id == lane.target_id)
    source = next(one for one in sides if one.side_id != lane.target_id)
    sender, receiver = source.side.system, target.side.system
    _remember(lane, target.linked_ticket, receiver)
    holding = holding_of(lane, held, now)
    return LaneRow(
        lane=lane,
        title=title_for(target.linked_ticket, sides, viewer),
        sender=sender.partner.name,
        sender_system=sender.kind_label,
        receiver=receiver.partner.name,
        receiver_system=receiver.kind_label,
        head=head,
        what=what_of(head) if head else "",
        count=lane.tail - lane.head + 1,
        age=now - (lane.waits_since or now),
        alarm=alarm_of(lane, now),
        reason=reason_of(lane, head, (source.side, target.side), holding, now),
        failure=known_failure(lane, head, viewer, sender.partner_id, receiver.partner_id),
        holding=holding,
        article=articles.get(lane.failure_code),
        system=receiver,
        field_name=names.get(lane.pk, ""),
    )


def _remember(lane: Lane, linked: LinkedTicket, system: System) -> None:
    """Hang what was loaded with the sides on the lane, so that nobody asks for it again."""
    lane.linked_ticket, lane.connection, lane.system = linked, linked.connection, system
