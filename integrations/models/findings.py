"""Findings: what changed in a system that others count on, its fields or its web hooks.

Each holds until it is undone, mended or acknowledged.
"""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.db import models

from integrations.mapping.drift import ChangeCode, FieldChange
from integrations.mapping.rules import Grade
from integrations.models.systems import System
from integrations.querysets import SystemFindingQuerySet


class HookTrouble(StrEnum):
    """What can be wrong with web hooks that were set up.  The values are keys of the handbook."""

    MISSING = "hook_missing"
    OFF = "hook_off"
    SILENT = "hook_silent"


class SystemFinding(models.Model):
    """One change of a system that touches rules, tickets or web hooks.  Closed by itself; kept as a record.

    One about web hooks names no field.
    """

    class Code(models.TextChoices):
        FIELD_GONE = ChangeCode.FIELD_GONE.value, "Field gone"
        VALUE_GONE = ChangeCode.VALUE_GONE.value, "Value gone"
        NEWLY_REQUIRED = ChangeCode.NEWLY_REQUIRED.value, "Newly required"
        READ_ONLY = ChangeCode.READ_ONLY.value, "No longer writable"
        KIND_CHANGED = ChangeCode.KIND_CHANGED.value, "Another kind of field"
        LIMIT_SHORTER = ChangeCode.LIMIT_SHORTER.value, "Shorter limit"
        VALUE_NEW = ChangeCode.VALUE_NEW.value, "New value"
        STATUS_UNREACHABLE = ChangeCode.STATUS_UNREACHABLE.value, "Status out of reach"
        STEP_GONE = ChangeCode.STEP_GONE.value, "Step gone"
        STEP_DEMANDS = ChangeCode.STEP_DEMANDS.value, "Step demands more"
        HOOK_MISSING = HookTrouble.MISSING.value, "Web hook missing"
        HOOK_OFF = HookTrouble.OFF.value, "Web hook switched off"
        HOOK_SILENT = HookTrouble.SILENT.value, "Web hooks silent"

    class GradeChoice(models.TextChoices):
        BLOCK = Grade.BLOCK.value, "Will stop tickets"
        LOOK = Grade.LOOK.value, "Worth a look"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        CLOSED = "closed", "Closed"

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="findings")
    code = models.CharField(max_length=40, choices=Code)
    field = models.CharField(max_length=120, blank=True)
    label = models.CharField(max_length=200)
    # The value that went or came; what was before and is now, as words.
    value = models.CharField(max_length=200, blank=True)
    before = models.CharField(max_length=200, blank=True)
    after = models.CharField(max_length=200, blank=True)
    grade = models.CharField(max_length=10, choices=GradeChoice)
    message = models.CharField(max_length=500)
    # How many open linked tickets it touched when that was last counted.
    ticket_count = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=14, choices=State, default=State.OPEN)
    found_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.CharField(max_length=200, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_reason = models.CharField(max_length=300, blank=True)

    objects = SystemFindingQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["system", "code", "field", "value"],
                condition=~models.Q(state="closed"),
                name="finding_open_once",
            )
        ]
        indexes = [models.Index(fields=["state", "grade"], name="finding_by_state")]

    def __str__(self) -> str:
        return self.message

    @property
    def is_about_hooks(self) -> bool:
        """Whether it speaks of the system's web hooks and not of a field."""
        return any(self.code == one for one in HookTrouble)

    @property
    def change(self) -> FieldChange:
        """The change of a field that it speaks of, as a plain value."""
        return FieldChange(ChangeCode(self.code), self.field, self.label, self.value, self.before, self.after)
