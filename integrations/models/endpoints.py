"""Endpoints of others that are told of events by signed web hooks, their secrets, and every message to them."""

from __future__ import annotations

from django.db import models

from integrations.models.partners import Partner
from integrations.querysets import EndpointQuerySet
from integrations.watch.webhooks import EventType


class HookEndpoint(models.Model):
    """An address that wants to be told.  Without a partner it is the operator's and is told of everything."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        # It failed for days or said that it is gone; told by an alert, and nothing for it is dropped.
        DISABLED = "disabled", "Disabled after failures"

    partner = models.ForeignKey(
        Partner, null=True, blank=True, on_delete=models.PROTECT, related_name="hook_endpoints"
    )
    name = models.CharField(max_length=120)
    url = models.CharField("address", max_length=500)
    # Of EventType.
    events = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    failing_since = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField("last taken", null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> str:
        """What its secrets' ciphertexts are bound to."""
        return f"endpoint:{self.pk}"


class EndpointSecret(models.Model):
    """One signing secret, sealed.  While people change over, two of them hold."""

    endpoint = models.ForeignKey(HookEndpoint, on_delete=models.CASCADE, related_name="secrets")
    sealed = models.TextField()
    made_at = models.DateTimeField()
    # Until when it still signs beside its successor; empty for the one that holds.
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return f"secret of {self.endpoint}"


class HookMessage(models.Model):
    """One event for one endpoint: sent until it is taken, or for days."""

    class Kind(models.TextChoices):
        ALERT_OPENED = EventType.ALERT_OPENED.value, "Alert opened"
        ALERT_WORSENED = EventType.ALERT_WORSENED.value, "Alert got worse"
        ALERT_CLOSED = EventType.ALERT_CLOSED.value, "Alert closed"
        LANE_PARKED = EventType.LANE_PARKED.value, "Lane parked"
        LANE_RESUMED = EventType.LANE_RESUMED.value, "Lane resumed"
        TICKET_LINKED = EventType.TICKET_LINKED.value, "Ticket linked"
        STATUS_CHANGED = EventType.STATUS_CHANGED.value, "Status changed"
        TEST = EventType.TEST.value, "Test"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        # Every try failed; it can be sent again by hand.
        FAILED = "failed", "Given up"

    endpoint = models.ForeignKey(HookEndpoint, on_delete=models.CASCADE, related_name="messages")
    message_id = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=30, choices=Kind)
    # The very text that is signed and sent.
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    # What the last try came to.
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["due_at"], name="hook_message_due", condition=models.Q(state="waiting")),
            models.Index(fields=["endpoint", "-created_at"], name="hook_message_latest"),
        ]

    def __str__(self) -> str:
        return self.message_id
