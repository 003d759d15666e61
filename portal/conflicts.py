"""Conflicts as one person may see them: both values with their authors, each company's own words only to that company.

Of the other side's value a partner's own people see what its rules release, in the words of the data dictionary, and
whose it is and since when; who set it is that company's own matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.shortcuts import get_object_or_404

from integrations.canonical import Value
from integrations.mapping.plan import text_of
from integrations.models import Conflict, Delivery, DictionaryField, Lane
from integrations.richtext import blocks
from integrations.richtext.blocks import Document
from integrations.richtext.merge import merge
from integrations.services.conflicts import Case, Version, case_of, is_own_newest
from integrations.services.timeline.viewers import Viewer
from portal.access import Someone
from portal.forms.conflicts import DecisionForm
from portal.tickets import may_at_one, name_for, require_at_one

RESOURCE = "queue"


@dataclass(frozen=True, slots=True)
class Shown:
    """One side's value on the page.  `own` is empty where the viewer may not know that side's own words."""

    partner: str
    system: str
    own: str
    shared: str
    text: Document | None
    by: str
    at: datetime | None
    # Whether it was set after the other one: the value that "take the newest" takes.
    is_newest: bool = False


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A conflict that waits for an answer; `form` is None for those who may not give one."""

    conflict: Conflict
    label: str
    came: Shown
    own: Shown
    problem: str
    form: DecisionForm | None

    @property
    def versions(self) -> tuple[Shown, Shown]:
        """Both values, the sender's first."""
        return self.came, self.own


@dataclass(frozen=True, slots=True)
class Answer:
    """A conflict that was decided.  `stands` is empty where the viewer may not know it, `by` may be a company."""

    label: str
    choice: str
    partner: str
    stands: str
    by: str
    conflict: Conflict


def conflict_for(user: Someone, pk: int) -> Conflict:
    """The conflict; 404 when its ticket is none of the person's, 403 when it does not act for the receiver.

    The rule that asked is the receiver's, and so is the answer.
    """
    found = get_object_or_404(
        Conflict.objects.select_related(
            "delivery__lane__linked_ticket", "delivery__lane__system__partner"
        ).filter(delivery__lane__in=Lane.objects.visible_to(user)),
        pk=pk,
    )
    require_at_one(user, "write", RESOURCE, [found.delivery.lane.system.partner_id])
    return found


def decidable(user: Someone, lane_ids: Sequence[int]) -> list[int]:
    """Those of these lanes for whose receivers the person may decide, in their order."""
    receivers = dict(
        Lane.objects.visible_to(user).filter(pk__in=lane_ids).values_list("pk", "system__partner")
    )
    return [
        one for one in lane_ids if one in receivers and may_at_one(user, "write", RESOURCE, [receivers[one]])
    ]


def questions_of(
    delivery: Delivery, user: Someone, viewer: Viewer, *, now: datetime, refused: DecisionForm | None = None
) -> list[OpenQuestion]:
    """What waits for an answer at this delivery."""
    labels = _labels(delivery)
    may_decide = may_at_one(user, "write", RESOURCE, [delivery.lane.system.partner_id])
    found = []
    for conflict in Conflict.objects.open().filter(delivery=delivery).select_related("delivery"):
        case = case_of(conflict, now=now)
        if case is None:
            continue
        form = None
        if may_decide:
            is_refused = refused is not None and refused.prefix == prefix_of(conflict)
            form = refused if is_refused else form_for(case)
        found.append(
            OpenQuestion(
                conflict,
                labels.get(conflict.shared, conflict.shared),
                _shown(case.came, viewer, is_newest=not is_own_newest(case)),
                _shown(case.own, viewer, is_newest=is_own_newest(case)),
                case.problem if may_decide else "",
                form,
            )
        )
    return found


def answers_of(delivery: Delivery, viewer: Viewer) -> list[Answer]:
    """What was decided about this delivery."""
    labels = _labels(delivery)
    receiver = delivery.lane.system.partner
    sees = viewer.sees_all or receiver.pk in viewer.partner_ids
    sender = _sender_name(delivery)
    return [
        Answer(
            labels.get(one.shared, one.shared),
            one.choice,
            sender if one.choice == Conflict.Choice.CAME else receiver.name,
            text_of(one.stands) if sees else "",
            name_for(one.decided_by, viewer) or "somebody",
            one,
        )
        for one in delivery.conflicts.filter(decided_at__isnull=False).select_related("decided_by__partner")
    ]


def prefix_of(conflict: Conflict) -> str:
    """What tells the forms on one page apart."""
    return f"c{conflict.pk}"


def form_for(case: Case, data: object = None) -> DecisionForm:
    """The form with what is known of the case."""
    return DecisionForm(
        data,
        prefix=prefix_of(case.conflict),
        token=case.token,
        came=case.came.partner,
        own=case.own.partner,
        merged=_plain(case.merged) if case.own.is_text and case.came.is_text else None,
        can_take=not case.problem,
    )


def text_from(case: Case, typed: str) -> Value:
    """What was typed as a text of both: where nothing was changed in it, with all its looks."""
    merged = blocks.from_value(case.merged)
    shown = blocks.from_plain(_plain(case.merged))
    return merge(shown, blocks.from_plain(typed.replace("\r\n", "\n")), merged).document.as_value()


def _plain(value: Value) -> str:
    if not blocks.is_document(value):
        return text_of(value)
    # An empty line parts paragraphs, so that what is typed is read the same way.
    return "\n\n".join(Document((block,)).plain() for block in blocks.from_value(value).blocks)


def _shown(version: Version, viewer: Viewer, *, is_newest: bool) -> Shown:
    partner = version.system.partner
    sees = viewer.sees_all or partner.pk in viewer.partner_ids
    value = version.own if sees else version.shared
    return Shown(
        partner=partner.name,
        system=version.system.kind_label,
        own=text_of(version.own) if sees else "",
        shared=text_of(version.shared),
        text=blocks.from_value(value) if blocks.is_document(value) else None,
        by=version.by if sees else "",
        at=version.at,
        is_newest=is_newest,
    )


def _labels(delivery: Delivery) -> dict[str, str]:
    fields = DictionaryField.objects.filter(connection=delivery.lane.connection_id)
    return dict(fields.values_list("name", "label"))


def _sender_name(delivery: Delivery) -> str:
    sides = delivery.lane.connection.sides.exclude(pk=delivery.lane.target_id)
    return sides.values_list("system__partner__name", flat=True).first() or ""
