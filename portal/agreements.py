"""Agreements, matrices and calendars: who may change them, and writing what people entered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404

from portal.access import Someone, rights_of
from portal.acting import require_everywhere
from portal.audit import changed_fields
from portal.clocks import agreements_of
from portal.forms.agreements import AgreementForm, CalendarForm, shown_agreement
from portal.tickets import require_at_one
from slas import services
from slas.models import (
    Agreement,
    Calendar,
    Closure,
    KindChoice,
    PriorityChoice,
    PriorityMatrix,
    Target,
    TypeChoice,
)

Changes = dict[str, Any]


def agreement_for(user: Someone, pk: int, action: str = "read") -> Agreement:
    """The agreement; 404 when the person is no party, 403 when its roles do not allow this."""
    rows = Agreement.objects.visible_to(user).select_related("customer", "provider", "calendar", "matrix")
    found = get_object_or_404(rows, pk=pk)
    require_at_one(user, action, "agreements", (found.customer_id, found.provider_id))
    return found


def require_part(user: Someone, action: str, agreements: QuerySet[Agreement]) -> None:
    """Return when the person may change something that all these agreements use; PermissionDenied otherwise.

    What no agreement uses yet belongs to everybody: changing it takes the right at all partners.
    """
    places = rights_of(user).partner_ids("agreements", action)
    if places is None:
        return
    parties = list(agreements.values_list("customer", "provider"))
    if not parties:
        require_everywhere(user, action, "agreements")
    if any(not places & set(both) for both in parties):
        raise PermissionDenied("Other partners' agreements use this too.")


def calendars_for(user: Someone) -> QuerySet[Calendar]:
    """Calendars of agreements that the person may see; all of them for who sees all partners."""
    if rights_of(user).partner_ids("agreements", "read") is None:
        return Calendar.objects.all()
    return Calendar.objects.filter(agreements__in=agreements_of(user, "agreements")).distinct()


def matrices_for(user: Someone) -> QuerySet[PriorityMatrix]:
    """Priority matrices of agreements that the person may see; all of them for who sees all partners."""
    if rights_of(user).partner_ids("agreements", "read") is None:
        return PriorityMatrix.objects.all()
    return PriorityMatrix.objects.filter(agreements__in=agreements_of(user, "agreements")).distinct()


def with_use(rows: QuerySet) -> QuerySet:
    """Calendars or matrices with the number of agreements that use them, as `used`."""
    return rows.annotate(used=Count("agreements", distinct=True)).order_by("name")


@transaction.atomic
def save_agreement(form: AgreementForm, agreement: Agreement | None) -> tuple[Agreement, Changes]:
    """Write what was entered, a new agreement or a changed one; returns it with what differs."""
    before = shown_agreement(agreement) if agreement else {}
    row = agreement or Agreement()
    entered = dict(form.cleaned_data)
    connections = entered.pop("connections", None)
    entered.pop("stamp", None)
    for name, value in entered.items():
        setattr(row, name, value)
    row.full_clean()
    row.save()
    if connections is not None and set(connections) != set(row.connections.all()):
        row.connections.set(connections)
    row.refresh_from_db()
    return row, readable(changed_fields(before, shown_agreement(row)), row)


def readable(changes: Changes, agreement: Agreement) -> Changes:
    """The audit trail keeps names, not keys of rows that may be renamed or gone."""
    for name in ("customer", "provider", "calendar", "matrix"):
        if name in changes:
            changes[name] = str(getattr(agreement, name))
    if "connections" in changes:
        changes["connections"] = [str(one) for one in agreement.connections.all()]
    return changes


@transaction.atomic
def save_calendar(form: CalendarForm, calendar: Calendar | None) -> tuple[Calendar, Changes]:
    """Write what was entered, a new calendar or a changed one; returns it with what differs."""
    row = calendar or Calendar()
    changes: Changes = {}
    for name in ("name", "time_zone", "note"):
        value = form.cleaned_data[name]
        if getattr(row, name) != value:
            changes[name] = [getattr(row, name), value] if calendar else value
            setattr(row, name, value)
    if changes or not calendar:
        row.save()
    changes |= services.set_hours(row, form.windows)
    changes |= services.set_holidays(row, form.entered_holidays)
    return row, changes | _set_closures(row, form)


def _set_closures(calendar: Calendar, form: CalendarForm) -> Changes:
    rows = {(one.starts_at, one.ends_at, one.reason): one for one in calendar.closures.all()}
    wanted = set(form.entered_closures)
    if wanted == set(rows):
        return {}
    for key, row in rows.items():
        if key not in wanted:
            row.delete()
    for starts_at, ends_at, reason in sorted(wanted - set(rows)):
        Closure.objects.create(calendar=calendar, starts_at=starts_at, ends_at=ends_at, reason=reason)
    return {"closures": [len(rows), len(wanted)]}


@dataclass(frozen=True, slots=True)
class TargetTable:
    """Targets of one type (or of all types), a row a priority with response and resolution."""

    label: str
    rows: list[tuple[str, int | None, int | None]]


def target_tables(targets: Iterable[Target]) -> list[TargetTable]:
    """An agreement's targets as tables; types without a target of their own are left out."""
    held = {(one.type, one.priority, one.kind): one.minutes for one in targets}
    tables = []
    for type_, label in [("", "All types"), *TypeChoice.choices]:
        rows = [
            (
                str(priority_label),
                held.get((type_, priority, KindChoice.RESPONSE.value)),
                held.get((type_, priority, KindChoice.RESOLUTION.value)),
            )
            for priority, priority_label in PriorityChoice.choices
        ]
        if any(response or resolution for _, response, resolution in rows):
            tables.append(TargetTable(str(label), rows))
    return tables


def using(matrix: PriorityMatrix | Calendar) -> QuerySet[Agreement]:
    """The agreements that use a matrix or a calendar."""
    return matrix.agreements.select_related("customer", "provider").order_by("name")


@transaction.atomic
def own_matrix(agreement: Agreement, rows: list[list[str]]) -> PriorityMatrix:
    """Give an agreement a matrix of its own with these rows; the others keep the one they share."""
    name = f"Matrix of {agreement.name}"[:110]
    taken = set(PriorityMatrix.objects.filter(name__startswith=name).values_list("name", flat=True))
    free = next(one for one in (name, *(f"{name} {number}" for number in range(2, 1000))) if one not in taken)
    made = PriorityMatrix.objects.create(name=free, rows=rows)
    agreement.matrix = made
    agreement.save(update_fields=["matrix"])
    return made


def filtered(rows: QuerySet[Agreement], words: str | None, kind: str | None) -> QuerySet[Agreement]:
    """Agreements narrowed to words and kind."""
    if words:
        rows = rows.filter(
            Q(name__icontains=words) | Q(customer__name__icontains=words) | Q(provider__name__icontains=words)
        )
    return rows.filter(kind=kind) if kind else rows
