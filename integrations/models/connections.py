"""Connections: two systems that agreed to exchange, and each partner's side of the agreement."""

from __future__ import annotations

from django.db import models

from integrations.models.systems import System
from integrations.querysets import ConnectionQuerySet


class Connection(models.Model):
    """Two systems that agreed to exchange tickets."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"

    name = models.CharField(max_length=160, unique=True)

    class DriftPolicy(models.TextChoices):
        ASK = "ask", "Ask before it repairs"
        REPAIR = "repair", "Repair by itself"

    state = models.CharField(max_length=20, choices=State, default=State.DRAFT)
    note = models.TextField(blank=True)
    # What becomes of drift that a reconciliation finds.
    drift_policy = models.CharField(max_length=10, choices=DriftPolicy, default=DriftPolicy.ASK)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Side(models.Model):
    """One partner's end of a connection; owns its outgoing and its incoming rules, and may pause itself.

    `starts` tells whether tickets raised in this system open a ticket on the other side by themselves; `trigger`
    narrows that: `{"field": ["value", ...]}`, all of which must hold (empty means every ticket).
    """

    class Position(models.TextChoices):
        LEFT = "left", "Left"
        RIGHT = "right", "Right"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="sides")
    position = models.CharField(max_length=5, choices=Position)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="sides")
    starts = models.BooleanField("opens tickets on the other side", default=False)
    trigger = models.JSONField(default=dict, blank=True)
    is_paused = models.BooleanField(default=False)
    paused_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["connection", "position"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "position"], name="one_side_left_one_right"),
            models.UniqueConstraint(
                fields=["connection", "system"],
                name="system_once_per_connection",
                violation_error_message="A connection joins two different systems.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} in {self.connection}"
