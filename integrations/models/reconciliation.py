"""Reconciliation: runs that compare both sides of links, what they found, and the drift that is to be mended."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.engine.reconcile import Kind, Reason
from integrations.models.connections import Connection, Side
from integrations.models.deliveries import Delivery
from integrations.models.systems import System
from integrations.models.tickets import LinkedTicket
from integrations.querysets import DriftQuerySet


class Reconciliation(models.Model):
    """One run over the linked tickets of a connection, of a system, or over one alone.

    `last` is the key of the linked ticket that was done last: whoever carries on begins behind it.  `again` lists those
    that could not be compared because something was on its way, with the number of times that it was tried.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        ENDED = "ended", "Ended"
        STOPPED = "stopped", "Stopped"

    connection = models.ForeignKey(Connection, null=True, on_delete=models.CASCADE, related_name="+")
    system = models.ForeignKey(System, null=True, on_delete=models.CASCADE, related_name="+")
    linked_ticket = models.ForeignKey(LinkedTicket, null=True, on_delete=models.CASCADE, related_name="+")
    is_nightly = models.BooleanField(default=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    asked_at = models.DateTimeField()
    # When to go on; moved ahead by whoever works on it, so that one that dies leaves it due again.
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    last = models.PositiveBigIntegerField(default=0)
    again = models.JSONField(default=dict, blank=True)
    compared = models.PositiveIntegerField(default=0)
    differing = models.PositiveIntegerField(default=0)
    repaired = models.PositiveIntegerField(default=0)
    unread = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        indexes = [
            models.Index(fields=["due_at"], name="reconciliation_due", condition=models.Q(state="running"))
        ]

    def __str__(self) -> str:
        return f"Reconciliation of {self.scope}"

    @property
    def scope(self) -> str:
        """What it goes over, in words."""
        return str(self.linked_ticket or self.connection or self.system or "all connections")

    @property
    def done(self) -> int:
        """Linked tickets that need no more looking at."""
        return self.compared + self.unread

    @property
    def percent(self) -> int:
        """How far it is, of 100."""
        if self.state != self.State.RUNNING:
            return 100
        return min(99, 100 * self.done // self.total) if self.total else 0


class Examination(models.Model):
    """What comparing a linked ticket found the last time.  `body` is the pure result as JSON.

    `problem` says why it could not be compared since; then `body` is of the time before.
    """

    linked_ticket = models.OneToOneField(LinkedTicket, on_delete=models.CASCADE, related_name="examination")
    at = models.DateTimeField()
    agrees = models.BooleanField(default=False)
    body = models.JSONField(default=dict)
    problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.linked_ticket} at {self.at:%Y-%m-%d %H:%M}"


class Drift(models.Model):
    """One thing in which the sides of a link differ without a reason in the rules.

    `source` is the side whose value counts, `target` the one that has not got it; `expected` and `found` are in the
    target's own terms.  `value` is what is repaired with.  Closes by itself when a later comparison finds it no more.

    An exception is one that somebody accepted: `closed_because` says why.  When either value changes it is open again,
    keeps what was said, and needs a person.
    """

    class KindChoice(models.TextChoices):
        FIELD = Kind.FIELD.value, "Field"
        COMMENT = Kind.COMMENT.value, "Comment"
        FILE = Kind.FILE.value, "File"

    class ReasonChoice(models.TextChoices):
        UNRECORDED = Reason.UNRECORDED.value, "Changed without any history"
        NOT_THERE = Reason.NOT_THERE.value, "Did not arrive"
        REMOVED = Reason.REMOVED.value, "Removed after it had arrived"
        VISIBILITY = Reason.VISIBILITY.value, "Can be read by too many"
        ORDER = Reason.ORDER.value, "Stands in another order"

    # What no write of ours can mend.
    BEYOND_WRITING = (ReasonChoice.VISIBILITY, ReasonChoice.ORDER)

    class State(models.TextChoices):
        OPEN = "open", "Open"
        QUEUED = "queued", "Repair on its way"
        ACCEPTED = "accepted", "Accepted"
        CLOSED = "closed", "Closed"

    linked_ticket = models.ForeignKey(LinkedTicket, on_delete=models.CASCADE, related_name="drifts")
    # Repeated here so that counts and lists read one table.
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="drifts")
    source = models.ForeignKey(Side, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Side, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=KindChoice)
    key = models.CharField(max_length=120)
    label = models.CharField(max_length=200)
    reason = models.CharField(max_length=12, choices=ReasonChoice)
    expected = models.TextField(blank=True)
    found = models.TextField(blank=True)
    value = models.JSONField(default=dict, blank=True)
    needs_a_person = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    repair = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="mends")

    objects = DriftQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["linked_ticket", "target", "kind", "key"],
                condition=~models.Q(state="closed"),
                name="drift_live_once",
            )
        ]
        indexes = [models.Index(fields=["connection", "state"], name="drift_by_connection")]

    def __str__(self) -> str:
        return f"{self.linked_ticket}: {self.label}"

    @property
    def is_lapsed(self) -> bool:
        """Whether somebody had accepted it, and a value has changed since."""
        return self.state == self.State.OPEN and bool(self.closed_because)

    @property
    def can_be_repaired(self) -> bool:
        """Whether writing can mend it, and nobody has begun to."""
        return self.state == self.State.OPEN and self.reason not in self.BEYOND_WRITING
