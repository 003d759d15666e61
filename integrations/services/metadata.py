"""Reading a system's fields anew: on demand, and once a day by the sweep."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations.connectors.errors import ConnectorError
from integrations.models import System, SystemFinding
from integrations.services import findings
from integrations.services.mappings import field_facts
from integrations.services.refusals import NotPossible
from integrations.services.systems import files_told, metadata_of, open_connector_for

logger = logging.getLogger(__name__)

# After a reading that failed; the system may have been down for a minute.
AGAIN_AFTER = timedelta(hours=1)


def refresh_metadata(system: System, *, now: datetime) -> list[SystemFinding]:
    """Ask the system for its fields and keep them; returns the findings that are new.  Calls the system.

    NotPossible, in the system's own words, when it did not tell; what was known stays.
    """
    try:
        connector = open_connector_for(system)
        specs = connector.fields()
    except ConnectorError as error:
        _note(system, error.message, now)
        raise NotPossible(f"The fields could not be read: {error.message}") from error
    if not specs:
        message = "The system told of no field at all. What was known before is kept."
        _note(system, message, now)
        raise NotPossible(message)
    return findings.take_metadata(system, metadata_of(specs) | files_told(system, connector), now=now)


def refresh_next_due(now: datetime) -> bool:
    """Read the fields of the one system that is due longest; whether there was one.

    One at a time, so that a slow system does not hold up the sweep that asks all of them for changes.
    """
    system = System.objects.metadata_due(now).first()
    if system is None:
        return False
    # Claimed like a poll: whoever moves the due time does the work, and a worker that dies leaves it for later.
    claimed = System.objects.filter(pk=system.pk, metadata_due_at=system.metadata_due_at).update(
        metadata_due_at=now + AGAIN_AFTER
    )
    if not claimed:
        return False
    try:
        found = refresh_metadata(system, now=now)
    except NotPossible as refusal:
        logger.info("metadata_not_read", extra={"system_id": system.pk, "reason": refusal.message})
        return True
    logger.info("metadata_read", extra={"system_id": system.pk, "findings": len(found)})
    return True


@dataclass(frozen=True, slots=True)
class StepsFrom:
    """Where the workflow leads from one status: (status, labels of the fields demanded).  `is_whole`: nowhere else."""

    start: str
    ends: list[tuple[str, list[str]]]
    is_whole: bool


def workflow_of(system: System) -> list[StepsFrom]:
    """The workflow as the system told it, a row for each of its statuses; empty where it told of none."""
    facts = field_facts(system)
    status = next((one for one in facts.values() if one.steps), None)
    if status is None:
        return []

    def ends(start: str) -> list[tuple[str, list[str]]]:
        steps = [one for one in status.steps if one.start == start]
        return [
            (one.end, [facts[name].label if name in facts else name for name in one.requires])
            for one in steps
        ]

    return [StepsFrom(start, ends(start), start in status.steps_known) for start in status.values]


def _note(system: System, message: str, now: datetime) -> None:
    system.metadata_problem, system.metadata_due_at = message[:500], now + AGAIN_AFTER
    system.save(update_fields=["metadata_problem", "metadata_due_at"])
