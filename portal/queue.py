"""The queue as one person may see it: lanes that wait, page by page, and what may be known of each.

Of a failure both companies may know that there is one, and its kind.  The sentence itself may quote a value of the
sender (its own rules could not map it) or of the receiver (its system refused it), and is shown to that company and to
those who see all partners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, Min, OuterRef
from django.shortcuts import get_object_or_404

from integrations.models import Connection, Delivery, Lane, Partner, PartnerTicket, Side, System, TicketSide
from integrations.querysets import LaneQuerySet
from integrations.services.budgets import Holding, holding_of, holdings
from integrations.services.timeline import Viewer, what_of
from knowledgebase.models import Article
from knowledgebase.search import articles_for
from portal.access import Someone, rights_of
from portal.keyset import KeyPage, key_page
from portal.tickets import require_at_one, title_for, viewer_of

# Longest wait first: the one to look at.
ORDER = ("waits_since", "pk")
# A bulk action takes this many at most: more than anybody can mean.
MOST = 5000


@dataclass(frozen=True, slots=True)
class QueueCriteria:
    """What the queue is narrowed to.  `state` is a lane's, or "failing": tried in vain and to be tried again."""

    state: str = ""
    connection: Connection | None = None
    partner: Partner | None = None
    code: str = ""

    def __bool__(self) -> bool:
        return any((self.state, self.connection, self.partner, self.code))


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane in which something waits."""

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
    failure: str
    # The limit of the receiver's system that it waits for; then nothing has failed.
    holding: Holding | None
    article: Article | None
    system: System

    @property
    def is_blocked(self) -> bool:
        """Whether the other system takes no calls now, so that the lane cannot move although it may."""
        return self.system.state != System.State.ACTIVE


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many lanes wait for one reason, and the article about it."""

    code: str
    count: int
    article: Article | None


def lanes_for(user: Someone, criteria: QueueCriteria) -> LaneQuerySet:
    """Lanes that wait and that the person may see."""
    lanes = reachable(user).waiting()
    if criteria.state == "failing":
        lanes = lanes.filter(state=Lane.State.READY).exclude(failure_code="")
    elif criteria.state:
        lanes = lanes.filter(state=criteria.state)
    if criteria.connection:
        lanes = lanes.filter(connection=criteria.connection)
    if criteria.partner:
        lanes = lanes.filter(system__partner=criteria.partner)
    return lanes.filter(failure_code=criteria.code) if criteria.code else lanes


def lane_page(
    user: Someone, criteria: QueueCriteria, token: str, *, now: datetime, size: int = 50
) -> KeyPage:
    """One page of them as rows, the longest wait first."""
    page = key_page(lanes_for(user, criteria), ORDER, token, size)
    return KeyPage(lane_rows(page.rows, viewer_of(user, "queue"), now=now), page.previous, page.next)


def lane_rows(lanes: Sequence[Lane], viewer: Viewer, *, now: datetime) -> list[LaneRow]:
    """Lanes as rows.  Five queries, however many."""
    keys = [lane.pk for lane in lanes]
    heads = {one.lane_id: one for one in Delivery.objects.filter(lane__in=keys, number=F("lane__head"))}
    sides: dict[int, list[TicketSide]] = {}
    for one in TicketSide.objects.filter(
        linked_ticket__in={lane.linked_ticket_id for lane in lanes}
    ).select_related("side__system__partner", "ticket", "linked_ticket"):
        sides.setdefault(one.linked_ticket_id, []).append(one)
    articles = articles_for(lane.failure_code for lane in lanes)
    held = holdings({lane.system_id for lane in lanes}, now=now)
    return [
        _row(lane, sides[lane.linked_ticket_id], heads.get(lane.pk), articles, viewer, held, now)
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
            "event", "outgoing", "incoming", "lane__linked_ticket", "lane__system__partner", "lane__target"
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


def _row(
    lane: Lane,
    sides: Sequence[TicketSide],
    head: Delivery | None,
    articles: dict[str, Article],
    viewer: Viewer,
    held: Mapping[int, Holding],
    now: datetime,
) -> LaneRow:
    target = next(one for one in sides if one.side_id == lane.target_id)
    source = next(one for one in sides if one.side_id != lane.target_id)
    sender, receiver = source.side.system, target.side.system
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
        failure=known_failure(lane, head, viewer, sender.partner_id, receiver.partner_id),
        holding=holding_of(lane, held, now),
        article=articles.get(lane.failure_code),
        system=receiver,
    )
