"""Undoing: what somebody asked to be put back, looked at first, and what became of each field of each ticket."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.models.connections import Side
from integrations.models.deliveries import Delivery, Lane
from integrations.models.mappings import MappingSet
from integrations.models.tickets import Ticket
from integrations.querysets import UndoQuerySet


class Undo(models.Model):
    """One write, or all that one version of a mapping set wrote at one side, to be put back.

    `last` is the key of the lane that was done last, in the step that it is in: whoever carries on begins behind it.
    """

    class State(models.TextChoices):
        LOOKING = "looking", "Being looked at"
        READY = "ready", "To be confirmed"
        QUEUEING = "queueing", "Being queued"
        UNDER_WAY = "under_way", "On its way"
        ENDED = "ended", "Ended"
        DISCARDED = "discarded", "Not confirmed"

    # The side that was written to: whose values these are.
    target = models.ForeignKey(Side, on_delete=models.CASCADE, related_name="undos")
    mapping_set = models.ForeignKey(MappingSet, null=True, on_delete=models.CASCADE, related_name="undos")
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.CASCADE, related_name="undos")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.LOOKING)
    # When to go on; moved ahead by whoever works on it, so that one that dies leaves it due again.
    due_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    last = models.PositiveBigIntegerField(default=0)

    objects = UndoQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="undo_due",
                condition=models.Q(state__in=["looking", "queueing", "under_way"]),
            )
        ]

    def __str__(self) -> str:
        return f"Undo {self.scope}, at {self.target.system}"

    @property
    def scope(self) -> str:
        """What wrote it, in words."""
        if self.mapping_set:
            partner = self.mapping_set.side.system.partner
            is_sent = self.mapping_set.direction == MappingSet.Direction.OUTGOING
            return (
                f"version {self.mapping_set.version} of what {partner} {'sends' if is_sent else 'takes in'}"
            )
        if self.delivery:
            return f"delivery {self.delivery.number} of {self.delivery.lane.linked_ticket.number}"
        return "one delivery"

    @property
    def is_moving(self) -> bool:
        """Whether somebody is at work on it, so that a page has to look again."""
        return self.state in (self.State.LOOKING, self.State.QUEUEING, self.State.UNDER_WAY)

    @property
    def percent(self) -> int:
        """How far the step is that it is in, of 100."""
        if not self.is_moving:
            return 100
        return min(99, 100 * self.done // self.total) if self.total else 0


class UndoItem(models.Model):
    """One field of one ticket, or something that cannot be undone (`field` is empty then).

    `put_back` and `held` are in the receiver's own terms; `delivery` is the latest write of it, `revert` puts it back.
    """

    class State(models.TextChoices):
        OPEN = "open", "Would be put back"
        QUEUED = "queued", "On its way"
        DONE = "done", "Put back"
        STOOD = "stood", "Holds the old value"
        LEFT = "left", "Left alone"
        REFUSED = "refused", "Not taken back"
        CANNOT = "cannot", "Cannot be undone"

    undo = models.ForeignKey(Undo, on_delete=models.CASCADE, related_name="items")
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="+")
    ticket = models.ForeignKey(Ticket, null=True, on_delete=models.CASCADE, related_name="+")
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="undone_in")
    revert = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="undoes")
    field = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=200)
    stands = models.JSONField(null=True)
    put_back = models.JSONField(null=True)
    # [ms, system, value] of what must still stand when it is put back.
    held = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=10, choices=State)
    reason = models.CharField(max_length=300, blank=True)
    changed_by = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["undo", "pk"]
        indexes = [
            models.Index(fields=["undo", "state"], name="undo_item_by_state"),
            models.Index(fields=["undo", "lane"], name="undo_item_by_lane"),
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.lane}"
