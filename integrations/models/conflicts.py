"""Conflicts: fields that both sides changed without having seen the other's change, and what a person decided."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.models.deliveries import Delivery
from integrations.querysets import ConflictQuerySet


class Conflict(models.Model):
    """A field of the receiver about which a person is asked before a delivery goes on.

    It is open while its delivery waits for the answer at the head of a parked lane; one that was neither decided nor
    waits any more was settled without an answer, such as by an edit that made both sides equal or by a skip.
    """

    class Choice(models.TextChoices):
        CAME = "came", "The sender's value"
        OWN = "own", "The receiver's value"
        TEXT = "text", "A text made of both"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="conflicts")
    # The receiver's own field, and the field of the data dictionary that it is written from.
    field = models.CharField(max_length=120)
    shared = models.CharField(max_length=120)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    choice = models.CharField(max_length=10, choices=Choice, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    # What was decided about: both values in the receiver's words, and the value that stands.
    came = models.JSONField(null=True, blank=True)
    own = models.JSONField(null=True, blank=True)
    stands = models.JSONField(null=True, blank=True)

    objects = ConflictQuerySet.as_manager()

    class Meta:
        ordering = ["asked_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["delivery", "field"], name="conflict_asked_once")]

    def __str__(self) -> str:
        return f"{self.shared} of delivery {self.delivery_id}"
