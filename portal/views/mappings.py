"""Mappings: each side's own rules, version by version, and the draft of the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.mapping.checks import FieldFacts
from integrations.mapping.diff import Difference, differences, widens
from integrations.mapping.rules import RuleSet
from integrations.models import FieldRule, MappingSet, Side
from integrations.services import findings
from integrations.services import mappings as services
from integrations.services.refusals import NotPossible
from integrations.services.undo import receiver_of
from portal.access import may, partners_for, require, requires
from portal.acting import act
from portal.exports import csv_response
from portal.forms.base import attempt, succeeds
from portal.forms.mappings import (
    MappingFilter,
    PublishForm,
    RuleForm,
    ValuesForm,
    options_form,
    shown_of_rule,
)
from portal.listing import Column, in_order, listing
from portal.mappings import facts_of, sheet_of

COLUMNS = (
    Column("Connection", "connection", "side__connection__name"),
    Column("Side", "side", "side__system__name"),
    Column("What", "direction", "direction"),
    Column("Version", "version", "version", "num"),
    Column("Holds since", "since", "published_at"),
    Column("Draft"),
)
EXPORTED = (
    "Connection",
    "Partner",
    "System",
    "Direction",
    "Version",
    "Rule",
    "Reads",
    "How",
    "Text",
    "Writes",
    "When",
    "Values",
)
DIRECTIONS = {"outgoing": MappingSet.Direction.OUTGOING, "incoming": MappingSet.Direction.INCOMING}


# --- Lists ---


@require_safe
@requires("mappings")
def mapping_list(request: HttpRequest) -> HttpResponse:
    """The rules that hold now, for the sides whose rules the reader may see."""
    form = MappingFilter(request.GET, request.user)
    found = listing(request, _found(request, form), COLUMNS, default="connection")
    return render(request, "portal/mappings/list.html", {"listing": found, "form": form})


@require_safe
@requires("mappings")
def mapping_export(request: HttpRequest) -> HttpResponseBase:
    """Every rule that holds now, as a file: what a security review asks for."""
    found = _found(request, MappingFilter(request.GET, request.user))
    rows, _ = in_order(request, found, COLUMNS, default="connection")
    return csv_response(
        "mappings",
        EXPORTED,
        (
            _exported(one, rule)
            for one in rows.prefetch_related("rules__value_map__pairs")
            for rule in one.rules.all()
        ),
    )


def _exported(one: MappingSet, rule: FieldRule) -> tuple[str | int, ...]:
    pairs = rule.value_map.pairs.all() if rule.value_map else ()
    return (
        one.side.connection.name,
        one.side.system.partner.name,
        one.side.system.name,
        one.get_direction_display(),
        one.version,
        rule.position + 1,
        rule.source,
        rule.get_transform_display(),
        rule.argument,
        rule.target,
        rule.get_mode_display(),
        "; ".join(f"{pair.source} → {pair.target}" for pair in pairs),
    )


def _found(request: HttpRequest, form: MappingFilter) -> QuerySet[MappingSet]:
    readable = partners_for(request.user, "read", "mappings")
    found = MappingSet.objects.visible_to(request.user).filter(
        state=MappingSet.State.PUBLISHED, side__system__partner__in=readable
    )
    drafts = MappingSet.objects.filter(
        side=OuterRef("side"), direction=OuterRef("direction"), state=MappingSet.State.DRAFT
    )
    found = found.annotate(draft_pk=Subquery(drafts.values("pk")[:1]))
    return form.narrow(found.select_related("side__connection", "side__system__partner"))


# --- Reading ---


@require_safe
@requires("mappings")
def mapping_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One version: its rules, what they make of a real ticket, what the checks say."""
    mapping_set = _set(request, pk)
    sheet = _sheet(request, mapping_set)
    siblings = MappingSet.objects.filter(side=mapping_set.side_id, direction=mapping_set.direction)
    page = {
        "sheet": sheet,
        "set": mapping_set,
        "draft": siblings.filter(state=MappingSet.State.DRAFT).first(),
        "may_undo": mapping_set.state != MappingSet.State.DRAFT
        and may(request.user, "full", "undo", receiver_of(mapping_set).system.partner),
        **_rights(request, mapping_set.side),
    }
    return render(request, "portal/mappings/detail.html", page)


@require_safe
@requires("mappings")
def mapping_versions(request: HttpRequest, pk: int, direction: str) -> HttpResponse:
    """Every version of one side in one direction, the newest first."""
    side = _side(request, pk)
    if direction not in DIRECTIONS:
        raise Http404
    found = MappingSet.objects.filter(side=side, direction=direction).select_related("published_by")
    versions = list(found.order_by("-version"))
    before = {newer.pk: older.pk for newer, older in pairwise(versions)}
    page = {
        "side": side,
        "direction": direction,
        "versions": [(one, before.get(one.pk)) for one in versions],
        "has_draft": any(one.state == MappingSet.State.DRAFT for one in versions),
        "direction_label": DIRECTIONS[direction].label,
        **_rights(request, side),
    }
    return render(request, "portal/mappings/versions.html", page)


@require_safe
@requires("mappings")
def mapping_compare(request: HttpRequest, pk: int, other_pk: int) -> HttpResponse:
    """What changed from one version to another of the same rules."""
    before, after = _set(request, pk), _set(request, other_pk)
    if (before.side_id, before.direction) != (after.side_id, after.direction):
        raise Http404
    page = {"before": before, "after": after, "set": after, **_compared(before, after)}
    return render(request, "portal/mappings/compare.html", page)


def _compared(before: MappingSet, after: MappingSet) -> dict[str, Any]:
    old, new = services.rules_of(before), services.rules_of(after)
    is_outgoing = after.direction == MappingSet.Direction.OUTGOING
    return {"differences": differences(old, new), "widened": widens(old, new) if is_outgoing else []}


# --- Drafting ---


@require_POST
@requires("mappings", "write")
def mapping_draft(request: HttpRequest, pk: int, direction: str) -> HttpResponse:
    """Begin the next version, or go on with the draft there is."""
    side = _side(request, pk, "write")
    if direction not in DIRECTIONS:
        raise Http404
    with transaction.atomic():
        draft = services.draft_rules(side, direction)
    return redirect("mapping_edit", draft.pk)


@require_http_methods(["GET", "POST"])
@requires("mappings", "write")
def mapping_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft: its rules with what can be done to each, comments and files, checks, publishing."""
    draft = _set(request, pk, "write")
    if draft.state != MappingSet.State.DRAFT:
        return redirect("mapping_detail", pk)
    form = options_form(draft, request.POST or None)
    if form.is_valid():
        chosen = {name: value for name, value in form.cleaned_data.items() if name != "stamp"}
        if succeeds(form, lambda: services.change_options(draft, **chosen)):
            messages.success(request, "Saved in the draft.")
            return redirect("mapping_edit", pk)
    sheet = _sheet(request, draft)
    holds = _holds(draft)
    page = {
        "sheet": sheet,
        "set": draft,
        "options": form,
        "publish": PublishForm(shown=_content(sheet.rules), initial={"note": draft.note}),
        "holds": holds,
        **(_compared(holds, draft) if holds else {}),
        **_rights(request, draft.side),
    }
    return render(request, "portal/mappings/edit.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("mappings", "write")
def mapping_rule_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a rule to a draft; a value map's rows come next."""
    draft = _draft(request, pk)
    form = RuleForm(
        request.POST or None,
        facts=facts_of(draft),
        is_outgoing=_is_outgoing(draft),
        initial={"transform": "copy", "mode": "overwrite", "conflict": "newest"},
    )
    if form.is_valid() and (stored := attempt(form, lambda: services.add_rule(draft, form.rule({})))):
        return _after_rule(request, stored)
    page = {"form": form, "set": draft}
    return render(request, "portal/mappings/rule.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("mappings", "write")
def mapping_rule_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a rule of a draft."""
    stored = _rule(request, pk)
    draft, rule = stored.mapping_set, services.rule_of(stored)
    form = RuleForm(
        request.POST or None,
        facts=facts_of(draft),
        is_outgoing=_is_outgoing(draft),
        shown=shown_of_rule(rule),
    )
    if form.is_valid() and succeeds(form, lambda: services.change_rule(stored, form.rule(rule.values))):
        return _after_rule(request, stored)
    page = {"form": form, "set": draft, "rule": stored}
    return render(request, "portal/mappings/rule.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("mappings", "write")
def mapping_rule_values(request: HttpRequest, pk: int) -> HttpResponse:
    """The rows of a rule's value map."""
    stored = _rule(request, pk)
    if stored.value_map is None:
        return redirect("mapping_rule_edit", pk)
    draft, rule, facts = stored.mapping_set, services.rule_of(stored), facts_of(stored.mapping_set)
    form = ValuesForm(
        request.POST or None,
        values=rule.values,
        source=facts.sources.get(rule.source),
        target=facts.targets.get(rule.target),
        shown={"values": dict(rule.values)},
    )
    if form.is_valid() and succeeds(form, lambda: services.change_values(stored, form.values())):
        messages.success(request, "The value map is saved in the draft.")
        return redirect("mapping_edit", draft.pk)
    page = {
        "form": form,
        "set": draft,
        "rule": stored,
        "source_label": _label(facts.sources, rule.source),
        "target_label": _label(facts.targets, rule.target),
    }
    return render(request, "portal/mappings/values.html", page, status=422 if form.errors else 200)


def _label(facts: Mapping[str, FieldFacts], name: str) -> str:
    return facts[name].label if name in facts else name


def _after_rule(request: HttpRequest, stored: FieldRule) -> HttpResponse:
    if stored.value_map is not None and not stored.value_map.pairs.exists():
        messages.success(request, "The rule is in the draft. Now its values.")
        return redirect("mapping_rule_values", stored.pk)
    messages.success(request, "The rule is saved in the draft.")
    return redirect("mapping_edit", stored.mapping_set_id)


@require_POST
@requires("mappings", "write")
def mapping_rule_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a rule one place up or down."""
    stored = _rule(request, pk)
    _try(request, lambda: services.move_rule(stored, up=request.POST.get("to") == "up"))
    return redirect("mapping_edit", stored.mapping_set_id)


@require_POST
@requires("mappings", "write")
def mapping_rule_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a rule out of the draft."""
    stored = _rule(request, pk)
    draft_pk, name = stored.mapping_set_id, str(stored)
    if _try(request, lambda: services.delete_rule(stored)):
        messages.success(request, f"{name} is no longer in the draft.")
    return redirect("mapping_edit", draft_pk)


@require_POST
@requires("mappings", "write")
def mapping_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw the draft away."""
    draft = _draft(request, pk)
    side_pk, direction = draft.side_id, draft.direction
    if _try(request, lambda: services.discard_draft(draft)):
        messages.success(request, "The draft is thrown away. What was published goes on holding.")
    return redirect("mapping_versions", side_pk, direction)


def _try(request: HttpRequest, action: Callable[[], Any]) -> bool:
    """Do it; where the service refuses, show its sentence and return False."""
    try:
        action()
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return False
    return True


# --- Publishing ---


@require_POST
@requires("mappings", "full")
@transaction.atomic
def mapping_publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the draft hold from now on, if it still is what the person looked at."""
    draft = _draft(request, pk, "full")
    form = PublishForm(request.POST, shown=_content(services.rules_of(draft)))
    if not form.is_valid():
        messages.error(request, "The draft was changed while you looked at it. Look again, then publish.")
        return redirect("mapping_edit", pk)
    holds = _holds(draft)
    changes = _in_words(_compared(holds, draft)["differences"]) if holds else {}
    act(
        request,
        lambda: (
            services.publish_mapping(
                draft, by=request.user, now=timezone.now(), note=form.cleaned_data["note"]
            )
            is not None
        ),
        obj=draft,
        trail="published",
        changes=changes,
        partner=draft.side.system.partner,
        done=f"Version {draft.version} holds from now on, for everything that changes from here.",
    )
    draft.refresh_from_db(fields=["state"])
    findings.review(draft.side.system, now=timezone.now())
    is_published = draft.state == MappingSet.State.PUBLISHED
    return redirect("mapping_detail" if is_published else "mapping_edit", pk)


@require_POST
@requires("mappings", "full")
def mapping_roll_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Let an earlier version hold again, under a new number."""
    version = _set(request, pk, "full")
    act(
        request,
        lambda: services.roll_back_mapping(version, by=request.user, now=timezone.now()) is not None,
        obj=version,
        trail="brought back",
        partner=version.side.system.partner,
        done=f"What version {version.version} said holds again.",
    )
    findings.review(version.side.system, now=timezone.now())
    return redirect("mapping_versions", version.side_id, version.direction)


def _in_words(found: list[Difference]) -> dict[str, Any]:
    return {
        one.name: "; ".join(
            f"{what}: {before or '–'} → {after or '–'}" for what, before, after in one.changes
        )
        for one in found
    }


def _content(rules: RuleSet) -> dict[str, Any]:
    """All that a version says, to tell whether it is still the same."""
    told = {name: getattr(rules, name) for name in services.OPTIONS}
    files = rules.files
    return {
        **told,
        "files": [files.max_bytes, list(files.only), list(files.never)],
        "rules": [
            [
                *(one.source, one.target, one.transform.value, one.mode.value, one.conflict.value),
                *(one.argument, dict(one.values)),
            ]
            for one in rules.rules
        ],
    }


# --- Fetching ---


def _set(request: HttpRequest, pk: int, action: str = "read") -> MappingSet:
    """The version; 404 when it is another partner's, 403 when the person's roles there do not allow this."""
    found = MappingSet.objects.visible_to(request.user)
    found = found.select_related("side__connection", "side__system__partner", "published_by")
    mapping_set = get_object_or_404(found.prefetch_related("rules__value_map__pairs"), pk=pk)
    require(request.user, action, "mappings", mapping_set.side.system.partner)
    return mapping_set


def _draft(request: HttpRequest, pk: int, action: str = "write") -> MappingSet:
    """The same, for what is only done to drafts; 404 for a version that is none."""
    draft = _set(request, pk, action)
    if draft.state != MappingSet.State.DRAFT:
        raise Http404
    return draft


def _rule(request: HttpRequest, pk: int) -> FieldRule:
    """A rule of a draft that the person may change."""
    rules = FieldRule.objects.filter(mapping_set__in=MappingSet.objects.visible_to(request.user))
    rules = rules.select_related(
        "value_map", "mapping_set__side__system__partner", "mapping_set__side__connection"
    )
    stored = get_object_or_404(rules.prefetch_related("value_map__pairs"), pk=pk)
    require(request.user, "write", "mappings", stored.mapping_set.side.system.partner)
    if stored.mapping_set.state != MappingSet.State.DRAFT:
        raise Http404
    return stored


def _side(request: HttpRequest, pk: int, action: str = "read") -> Side:
    """The side; 404 for another partner's, 403 when the person's roles there do not allow this."""
    mine = MappingSet.objects.visible_to(request.user).filter(side=OuterRef("pk"))
    side = get_object_or_404(
        Side.objects.filter(Exists(mine)).select_related("connection", "system__partner"), pk=pk
    )
    require(request.user, action, "mappings", side.system.partner)
    return side


def _sheet(request: HttpRequest, mapping_set: MappingSet) -> Any:
    with_trial = may(request.user, "read", "tickets", mapping_set.side.system.partner)
    return sheet_of(mapping_set, with_trial=with_trial, key=request.GET.get("ticket", "").strip()[:100])


def _holds(draft: MappingSet) -> MappingSet | None:
    found = MappingSet.objects.filter(
        side=draft.side_id, direction=draft.direction, state=MappingSet.State.PUBLISHED
    )
    return found.prefetch_related("rules__value_map__pairs").first()


def _is_outgoing(mapping_set: MappingSet) -> bool:
    return mapping_set.direction == MappingSet.Direction.OUTGOING


def _rights(request: HttpRequest, side: Side) -> dict[str, bool]:
    partner = side.system.partner
    return {
        "may_write": may(request.user, "write", "mappings", partner),
        "may_publish": may(request.user, "full", "mappings", partner),
    }


urlpatterns = [
    path("", mapping_list, name="mapping_list"),
    path("export.csv", mapping_export, name="mapping_export"),
    path("<int:pk>/", mapping_detail, name="mapping_detail"),
    path("<int:pk>/compare/<int:other_pk>/", mapping_compare, name="mapping_compare"),
    path("<int:pk>/edit/", mapping_edit, name="mapping_edit"),
    path("<int:pk>/publish/", mapping_publish, name="mapping_publish"),
    path("<int:pk>/roll-back/", mapping_roll_back, name="mapping_roll_back"),
    path("<int:pk>/discard/", mapping_discard, name="mapping_discard"),
    path("<int:pk>/rules/add/", mapping_rule_add, name="mapping_rule_add"),
    path("rules/<int:pk>/edit/", mapping_rule_edit, name="mapping_rule_edit"),
    path("rules/<int:pk>/values/", mapping_rule_values, name="mapping_rule_values"),
    path("rules/<int:pk>/move/", mapping_rule_move, name="mapping_rule_move"),
    path("rules/<int:pk>/delete/", mapping_rule_delete, name="mapping_rule_delete"),
    path("sides/<int:pk>/<str:direction>/", mapping_versions, name="mapping_versions"),
    path("sides/<int:pk>/<str:direction>/draft/", mapping_draft, name="mapping_draft"),
]
