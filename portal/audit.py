"""Writes the audit trail and proves that nobody altered it.

Each entry's digest covers its content and the digest before it, so a changed, removed or inserted entry breaks the
chain from there on; the head row knows how long the chain is, so a cut tail shows too.  It does not stop somebody who
can write to the whole database and computes every digest anew: for that, keep `last_digest()` elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.utils import timezone

from portal.masking import masked
from portal.models import AuditEntry, AuditHead, User

THE_PORTAL = "Concord"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking the chain found: how many entries hold, and the number of the first that does not."""

    checked: int
    broken_at: int | None = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether every entry is as it was written, and none is missing."""
        return self.broken_at is None


def record(
    actor: User | AnonymousUser | None,
    action: str,
    obj: models.Model,
    changes: Mapping[str, Any] | None = None,
    *,
    partner: models.Model | None = None,
) -> AuditEntry:
    """Add one entry, in the transaction of the change it speaks of, and return it.

    `action` is a word in the past: "granted", "published", "paused".  `changes` maps a field to [before, after], or
    to what is worth keeping; secrets in it are masked by name.  `partner` is found by itself where the object is one
    or has one.  Not repeatable: a second call adds a second entry.
    """
    actor = actor if isinstance(actor, User) else None
    partner = partner or _partner_of(obj)
    with transaction.atomic():
        # On SQLite the transaction already holds the only write lock; PostgreSQL needs this one.
        AuditHead.objects.get_or_create(pk=1)
        head = AuditHead.objects.select_for_update().get(pk=1)
        entry = AuditEntry(
            number=head.number + 1,
            at=timezone.now(),
            actor=actor,
            actor_label=str(actor)[:200] if actor else THE_PORTAL,
            action=action,
            object_type=obj._meta.label_lower,
            object_id=str(obj.pk),
            object_label=str(obj)[:200],
            # As it will come back from the database, so that the digest can be computed again.
            changes=json.loads(json.dumps(masked(dict(changes or {})), cls=DjangoJSONEncoder)),
            partner_id=partner.pk if partner else None,
            prev_hash=head.digest,
        )
        entry.digest = digest(entry)
        entry.save()
        AuditHead.objects.filter(pk=1).update(number=entry.number, digest=entry.digest)
    return entry


def verify_chain() -> Verdict:
    """Read the whole trail and tell whether it is as it was written.  Changes nothing."""
    number, previous = 0, ""
    for entry in AuditEntry.objects.order_by("number").iterator():
        if entry.number != number + 1:
            return Verdict(number, number + 1, "the entry is missing")
        if entry.prev_hash != previous:
            return Verdict(number, entry.number, "it does not follow the entry before it")
        if entry.digest != digest(entry):
            return Verdict(number, entry.number, "it was changed after it was written")
        number, previous = entry.number, entry.digest
    head = AuditHead.objects.filter(pk=1).first()
    if (head.number if head else 0) != number:
        return Verdict(number, number + 1, "the end of the trail is missing")
    if head and head.digest != previous:
        return Verdict(number, number, "it is not the entry that was written last")
    return Verdict(number)


def last_digest() -> str:
    """The digest that stands for the whole trail; empty while there is none."""
    head = AuditHead.objects.filter(pk=1).first()
    return head.digest if head else ""


def digest(entry: AuditEntry) -> str:
    """The SHA-256, in hex, over the entry's content and the digest before it.  Pure."""
    content = [
        entry.prev_hash,
        entry.number,
        entry.at.isoformat(),
        entry.actor_id,
        entry.actor_label,
        entry.action,
        entry.object_type,
        entry.object_id,
        entry.object_label,
        entry.changes,
        entry.partner_id,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Field -> [before, after] for every field that differs, ready for `record`.  Pure."""
    names = sorted({*before, *after})
    return {
        name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)
    }


def _partner_of(obj: models.Model) -> models.Model | None:
    if obj._meta.label == "integrations.Partner":
        return obj
    found = getattr(obj, "partner", None)
    return found if isinstance(found, models.Model) else None
