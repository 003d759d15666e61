"""The certificate of a link: what both sides agree on, since when, and what became of everything that was carried.

Computed from the last fresh comparison and from the journal: events, deliveries, effects.  Each partner gets its own,
with what was released to it and nothing of the other side's rules; the integrator's names everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import Count

from integrations.engine.reconcile import Exempt, Kind
from integrations.models import (
    Delivery,
    DictionaryField,
    Drift,
    Examination,
    Lane,
    LinkedTicket,
    SyncEvent,
    TicketSide,
)
from integrations.services.timeline.viewers import Viewer
from integrations.signatures import Signer

KIND = "certificate"

WORDS: Mapping[str, str] = {
    Exempt.ONE_WAY: "goes in one direction only, and the receiver has set it since",
    Exempt.REDACTED: "redacted by the sender's rules",
    Exempt.ONLY_IF_NEW: "written to new tickets only",
    Exempt.ONLY_IF_EMPTY: "written to empty fields only",
    Exempt.APPEND: "only adds to the receiver's list",
    Exempt.NO_RULE: "no rule carries it: each side has its own",
    Exempt.NO_ROW: "the rules have no word for its value",
    Exempt.INTERNAL: "internal, and stays inside",
    Exempt.NOT_SHARED: "not shared by the sender's rules",
    Exempt.BEFORE: "was there before the rules shared it",
    Exempt.LEFT_OUT: "left out by a person",
    Exempt.OVERTAKEN: "overtaken by a newer one",
    Exempt.EDITED: "edited after it had arrived; edits of comments do not travel",
    Exempt.UNDONE: "undone: differs on purpose until the sender changes it again",
    Exempt.STAND_IN: "stays with the sender; a note stands in its place",
}
# What a partner is told of a field that is not kept in step: why is the other side's matter.
BY_RULE = "not kept in step by the rules"
# Exceptions that speak of what a side keeps to itself.
INSIDE = (Exempt.INTERNAL, Exempt.NOT_SHARED, Exempt.BEFORE)


@dataclass(frozen=True, slots=True)
class Carriage:
    """What the journal says of one direction.

    `carried` deliveries took effect, `overtaken` gave way to newer values, `left_out` were skipped by a person,
    `waiting` have still to go.  `lost` are numbers of the lane without a delivery, `twice` effects seen more than once,
    `out_of_order` effects that the receiver's history shows before an earlier one.
    """

    to: str
    carried: int
    overtaken: int
    left_out: int
    waiting: int
    lost: int
    twice: int
    out_of_order: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What can be handed over.  `agrees`: nothing differs without a reason, and nothing was lost, doubled or reordered."""

    linked_ticket: LinkedTicket
    as_of: datetime
    agrees: bool
    sides: tuple[Mapping[str, str], ...]
    fields: tuple[str, ...]
    comments: int
    files: int
    carriage: tuple[Carriage, ...]
    exceptions: tuple[Mapping[str, Any], ...]
    drift: tuple[Mapping[str, str], ...]
    problem: str = ""
    # What has happened on either side since the comparison.
    events_since: int = 0

    @property
    def carried(self) -> int:
        """How many events took effect on the other side."""
        return sum(one.carried for one in self.carriage)

    @property
    def statement(self) -> str:
        """The certificate in a sentence."""
        agreed = ", ".join(
            f"{count} {word}{'' if count == 1 else 's'}"
            for count, word in (
                (len(self.fields), "mapped field"),
                (self.comments, "comment"),
                (self.files, "file"),
            )
        )
        told = "1 event was" if self.carried == 1 else f"{self.carried} events were"
        lost, twice, order = (
            sum(getattr(one, name) for one in self.carriage) for name in ("lost", "twice", "out_of_order")
        )
        carried = f"{told} carried, {lost or 'none'} lost, {twice or 'none'} twice, " + (
            f"{order} out of order" if order else "in order"
        )
        at = f"{self.as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if self.drift:
            things = "1 thing differs" if len(self.drift) == 1 else f"{len(self.drift)} things differ"
            return f"{things} without a reason in the rules; both sides agree on {agreed}, as of {at}. {carried[0].upper()}{carried[1:]}."
        return f"Both sides agree on {agreed}, as of {at}. {carried[0].upper()}{carried[1:]}."

    def document(self) -> dict[str, Any]:
        """The certificate as JSON: text, whole numbers, truth values."""
        return {
            "statement": self.statement,
            "linked_ticket": self.linked_ticket.number,
            "connection": self.linked_ticket.connection.name,
            "as_of": self.as_of.astimezone(UTC).isoformat(timespec="seconds"),
            "agrees": self.agrees,
            "sides": [dict(one) for one in self.sides],
            "agreed": {"fields": list(self.fields), "comments": self.comments, "files": self.files},
            "journal": [asdict(one) for one in self.carriage],
            "exceptions": [dict(one) for one in self.exceptions],
            "drift": [dict(one) for one in self.drift],
        }

    def signed(self) -> dict[str, Any]:
        """The document under our signature; `manage.py verify` and anybody with the fingerprint can verify it."""
        return signer().sign(KIND, self.document())


def signer() -> Signer:
    """What signs certificates, with the same keys as everything else that is handed over."""
    return Signer(settings.CREDENTIAL_KEYS)


def certificate_of(linked: LinkedTicket, viewer: Viewer) -> Certificate | None:
    """The certificate as this viewer may have it; None while the two sides were never compared.  Reads the database."""
    examination = Examination.objects.filter(linked_ticket=linked).first()
    if examination is None or not examination.body:
        return None
    sides = list(linked.sides.select_related("side__system__partner", "ticket").order_by("side__position"))
    labels = dict(
        DictionaryField.objects.filter(connection=linked.connection_id).values_list("name", "label")
    )
    carriage = tuple(_carriage(linked, sides))
    drift = [
        one for one in Drift.objects.live().filter(linked_ticket=linked) if one.state != Drift.State.ACCEPTED
    ]
    body = examination.body
    return Certificate(
        linked_ticket=linked,
        as_of=examination.at,
        agrees=not drift and not any(one.lost or one.twice or one.out_of_order for one in carriage),
        sides=tuple(_side(one, viewer) for one in sides),
        fields=tuple(labels.get(name, name) for name in body["fields"]),
        comments=body["comments"],
        files=body["files"],
        carriage=carriage,
        exceptions=tuple(_exceptions(linked, body["exceptions"], sides, labels, viewer)),
        drift=tuple(_drift(one, sides, viewer) for one in drift),
        problem=examination.problem,
        events_since=_events_since(body["positions"], sides),
    )


def _side(one: TicketSide, viewer: Viewer) -> dict[str, str]:
    system = one.side.system
    told = {"partner": system.partner.name, "system": system.kind_label}
    if _is_shown(one, viewer):
        told |= {"ticket": str(one.ticket) if one.ticket else "", "name": system.name}
    return told


def _is_shown(one: TicketSide, viewer: Viewer) -> bool:
    return viewer.sees_all or one.side.system.partner_id in viewer.partner_ids


def _events_since(positions: Mapping[str, int], sides: Iterable[TicketSide]) -> int:
    return sum(
        max(0, one.ticket.event_count - positions.get(str(one.side_id), 0)) for one in sides if one.ticket
    )


# --- The journal ---


def _carriage(linked: LinkedTicket, sides: Sequence[TicketSide]) -> Iterable[Carriage]:
    partners = {one.side_id: one.side.system.partner.name for one in sides}
    for lane in Lane.objects.filter(linked_ticket=linked).order_by("target__position"):
        states = Counter(
            dict(
                lane.deliveries.order_by()
                .values_list("state")
                .annotate(count=Count("pk"))
                .values_list("state", "count")
            )
        )
        yield Carriage(
            to=partners[lane.target_id],
            carried=states[Delivery.State.DONE],
            overtaken=states[Delivery.State.SUPERSEDED],
            left_out=states[Delivery.State.SKIPPED],
            waiting=states[Delivery.State.NEW] + states[Delivery.State.SENT],
            lost=lane.tail - states.total(),
            twice=_twice(lane),
            out_of_order=_out_of_order(lane),
        )


def _twice(lane: Lane) -> int:
    """Comments and files that the receiver's history shows more than once for one delivery."""
    seen = SyncEvent.objects.filter(
        caused_by__lane=lane, caused_by__operation__in=(Delivery.Op.COMMENT, Delivery.Op.FILE)
    )
    parts: Counter[int | None] = Counter()
    for cause, comments, files in seen.values_list("caused_by", "comments", "attachments"):
        parts[cause] += len(comments) or len(files)
    return sum(count - 1 for count in parts.values() if count > 1)


def _out_of_order(lane: Lane) -> int:
    """Effects that the receiver's history shows before an earlier delivery's."""
    rows = (
        SyncEvent.objects.filter(caused_by__lane=lane)
        .order_by("position")
        .values_list("caused_by__number", flat=True)
    )
    first = dict.fromkeys(number for number in rows if number is not None)
    found, highest = 0, 0
    for number in first:
        found += number < highest
        highest = max(highest, number)
    return found


# --- What differs ---


def _exceptions(
    linked: LinkedTicket,
    exceptions: Iterable[Mapping[str, Any]],
    sides: Sequence[TicketSide],
    labels: Mapping[str, str],
    viewer: Viewer,
) -> Iterable[dict[str, Any]]:
    """Fields by name, comments and files counted by reason; accepted drift with what was said of it."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for one in exceptions:
        kind, why = one["kind"], one["why"]
        if kind == Kind.FIELD:
            words = _undone(one, sides, viewer) if why == Exempt.UNDONE else WORDS[why]
            if why != Exempt.UNDONE and not viewer.sees_all:
                words = BY_RULE
            yield {"kind": kind, "what": labels.get(one["key"], one["key"]), "why": words, "count": 1}
            continue
        owner = sides[0 if one.get("from_left") else 1]
        # What the other side keeps to itself, and how much of it there is, is not told.
        if why not in INSIDE or _is_shown(owner, viewer):
            counted[kind, owner.side.system.partner.name, why] += 1
    for (kind, partner, why), count in counted.items():
        yield {"kind": kind, "what": f"{kind}s of {partner}", "why": WORDS[why], "count": count}
    accepted = Drift.objects.filter(linked_ticket=linked, state=Drift.State.ACCEPTED)
    for drift in accepted.select_related("decided_by"):
        why = _accepted(drift, sides, viewer)
        yield {"kind": drift.kind, "what": _what(drift, sides, viewer), "why": why, "count": 1}


def _accepted(drift: Drift, sides: Sequence[TicketSide], viewer: Viewer) -> str:
    """When it was accepted; by whom and why, for the integrator and the company where it stands."""
    at = f" on {drift.decided_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if drift.decided_at else ""
    told = f"accepted{at}"
    if _is_shown(next(one for one in sides if one.side_id == drift.target_id), viewer):
        by = f" by {drift.decided_by}" if drift.decided_by else ""
        return f"{told}{by}: {drift.closed_because}"
    return f"{told}, until either value changes"


def _undone(one: Mapping[str, Any], sides: Sequence[TicketSide], viewer: Viewer) -> str:
    """When it was undone, where, and by whom; people's names are for their own company and the integrator."""
    receiver = sides[1 if one["from_left"] else 0]
    at = datetime.fromisoformat(one["at"]).astimezone(UTC)
    by = f" by {one['by']}" if one["by"] and _is_shown(receiver, viewer) else ""
    where = receiver.side.system.partner.name
    return f"undone on {at:%Y-%m-%d %H:%M} UTC at {where}{by}: differs on purpose until the sender changes it again"


def _drift(drift: Drift, sides: Sequence[TicketSide], viewer: Viewer) -> dict[str, str]:
    target = next(one for one in sides if one.side_id == drift.target_id)
    return {
        "kind": drift.kind,
        "what": _what(drift, sides, viewer),
        "at": target.side.system.partner.name,
        "why": drift.get_reason_display(),
    }


def _what(drift: Drift, sides: Sequence[TicketSide], viewer: Viewer) -> str:
    """A field by its name in the data dictionary, which both know; anything else only where it is one's own."""
    source = next(one for one in sides if one.side_id == drift.source_id)
    if drift.kind == Kind.FIELD or _is_shown(source, viewer):
        return drift.label
    return f"a {drift.kind}"
