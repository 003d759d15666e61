"""Watching that web hooks stay alive: the vendor is asked once an hour, and silence is noticed.  Trouble is a finding."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from integrations.mapping.rules import Grade
from integrations.models import HookStanding, HookTrouble, System, SystemFinding
from integrations.services import findings
from integrations.services.hook_health import HookHealth, hook_health
from integrations.services.hook_registration import look_at_hooks, registers, stored_standing
from integrations.services.refusals import NotPossible

logger = logging.getLogger(__name__)

LOOK_EVERY = timedelta(hours=1)
MENDED = "Web hooks arrive again, or are no longer expected."
LABEL = "Web hooks"

_BY_STATE = {
    HookStanding.State.MISSING: HookTrouble.MISSING,
    HookStanding.State.PARTLY: HookTrouble.MISSING,
    HookStanding.State.OFF: HookTrouble.OFF,
}
_SENTENCES = {
    HookTrouble.MISSING: "The web hook is no longer registered in {vendor}, or only in part",
    HookTrouble.OFF: "{vendor} has switched the web hook off",
    HookTrouble.SILENT: "Changes were found by asking that no web hook told of",
}


def trouble_of(standing: HookStanding, health: HookHealth) -> HookTrouble | None:
    """What is wrong, the cause before its effect: a web hook that is off is also silent.  Pure."""
    found = _BY_STATE.get(HookStanding.State(standing.state)) if standing.is_expected else None
    return found or (HookTrouble.SILENT if health.is_silent else None)


def watch_next_due(now: datetime) -> bool:
    """Look after the web hooks of the one system that is due longest; whether there was one.

    One at a time, like the reading of fields, so that a slow system does not hold up the sweep.
    """
    system = System.objects.hooks_due(now).select_related("hook_standing").first()
    if system is None:
        return False
    due_at = system.hook_standing.due_at if hasattr(system, "hook_standing") else None
    standing = stored_standing(system)
    # Claimed like a poll: whoever moves the due time does the work, and a worker that dies leaves it for later.
    if not HookStanding.objects.filter(pk=standing.pk, due_at=due_at).update(due_at=now + LOOK_EVERY):
        return False
    if registers(system):
        try:
            look_at_hooks(system, now=now)
        except NotPossible as refusal:
            logger.info("hooks_not_looked_at", extra={"system_id": system.pk, "reason": refusal.message})
    found = judge_hooks(system, now=now)
    logger.info("hooks_looked_at", extra={"system_id": system.pk, "trouble": found.code if found else ""})
    return True


@transaction.atomic
def judge_hooks(system: System, *, now: datetime) -> SystemFinding | None:
    """Open the finding that holds by what is known now and close the others; the one that holds.  Calls nobody."""
    # Locked, so that two who judge at once open one.
    System.objects.select_for_update().get(pk=system.pk)
    trouble = trouble_of(stored_standing(system), hook_health(system, now=now))
    live = SystemFinding.objects.live().filter(system=system, code__in=list(HookTrouble))
    for finding in live.exclude(code=trouble.value if trouble else ""):
        findings.close(finding, MENDED, now)
    if trouble is None:
        return None
    finding, _ = live.get_or_create(
        system=system,
        code=trouble.value,
        field="",
        value="",
        defaults={
            "label": LABEL,
            # Nothing stops: asking finds every change, only later.
            "grade": Grade.LOOK.value,
            "message": _SENTENCES[trouble].format(vendor=system.kind_label),
            "found_at": now,
        },
    )
    return finding
