"""Alerts: a condition that somebody has to know of, from when it was noticed until it held no longer."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.models.connections import Connection
from integrations.models.endpoints import HookEndpoint
from integrations.models.systems import System
from integrations.querysets import AlertQuerySet
from integrations.watch.conditions import Condition, Severity


class Alert(models.Model):
    """One condition of one subject.  It closes by itself; kept as a record.

    A finding says what changed in a system and asks for a decision; an alert says that something goes wrong now, and
    is told to people.  A web hook that is missing is both, under the same code.
    """

    class Code(models.TextChoices):
        WORKER_AWAY = Condition.WORKER_AWAY.value, "Worker away"
        SWEEP_AWAY = Condition.SWEEP_AWAY.value, "No sweep"
        WATCH_AWAY = Condition.WATCH_AWAY.value, "Watcher away"
        BROKER_AWAY = Condition.BROKER_AWAY.value, "Broker away"
        DATABASE_AWAY = Condition.DATABASE_AWAY.value, "Database away"
        MAIL_FAILING = Condition.MAIL_FAILING.value, "Mail cannot be sent"
        CREDENTIALS_REFUSED = Condition.CREDENTIALS_REFUSED.value, "Credentials refused"
        CREDENTIAL_EXPIRES = Condition.CREDENTIAL_EXPIRES.value, "Credential runs out"
        SYSTEM_FAILING = Condition.SYSTEM_FAILING.value, "System does not answer"
        POLL_STALLED = Condition.POLL_STALLED.value, "Cursor stands still"
        HOOK_MISSING = Condition.HOOK_MISSING.value, "Web hook missing"
        HOOK_OFF = Condition.HOOK_OFF.value, "Web hook switched off"
        HOOK_SILENT = Condition.HOOK_SILENT.value, "Web hooks silent"
        LANES_PARKED = Condition.LANES_PARKED.value, "Lanes parked"
        LANES_WAITING = Condition.LANES_WAITING.value, "Lanes wait"
        LANES_HELD = Condition.LANES_HELD.value, "Lanes held"
        ENDPOINT_FAILING = Condition.ENDPOINT_FAILING.value, "Endpoint takes no web hooks"
        ENDPOINT_DISABLED = Condition.ENDPOINT_DISABLED.value, "Endpoint disabled"
        TICKETS_GONE = Condition.TICKETS_GONE.value, "Tickets gone"
        DUPLICATE_TWIN = Condition.DUPLICATE_TWIN.value, "Ticket made twice"
        DOUBLED_EFFECT = Condition.DOUBLED_EFFECT.value, "Comment or file twice"

    class SeverityChoice(models.IntegerChoices):
        NOTICE = Severity.NOTICE.value, "Notice"
        WARNING = Severity.WARNING.value, "Warning"
        CRITICAL = Severity.CRITICAL.value, "Critical"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        CLOSED = "closed", "Closed"

    code = models.CharField(max_length=40, choices=Code)
    # One word for what it is about, for the constraint: an empty system is equal to no other in a database.
    subject = models.CharField(max_length=80)
    system = models.ForeignKey(System, null=True, blank=True, on_delete=models.CASCADE, related_name="alerts")
    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.CASCADE, related_name="alerts"
    )
    endpoint = models.ForeignKey(
        HookEndpoint, null=True, blank=True, on_delete=models.CASCADE, related_name="alerts"
    )
    # The worst that it has reached since it opened.
    severity = models.PositiveSmallIntegerField(choices=SeverityChoice)
    stage = models.PositiveSmallIntegerField(default=1)
    message = models.CharField(max_length=300)
    state = models.CharField(max_length=14, choices=State, default=State.OPEN)
    # When the condition began, and when it was noticed.
    since = models.DateTimeField()
    opened_at = models.DateTimeField()
    worsened_at = models.DateTimeField(null=True, blank=True)
    # Since when the condition has not been seen any more; it closes soon.
    cleared_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_reason = models.CharField(max_length=300, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["code", "subject"], condition=~models.Q(state="closed"), name="alert_live_once"
            )
        ]
        indexes = [models.Index(fields=["state", "-severity"], name="alert_by_state")]

    def __str__(self) -> str:
        return self.message

    @property
    def is_live(self) -> bool:
        """Whether its condition holds still."""
        return self.state != self.State.CLOSED

    @property
    def is_about_lanes(self) -> bool:
        """Whether it speaks of lanes that wait."""
        return self.code in (self.Code.LANES_PARKED, self.Code.LANES_WAITING, self.Code.LANES_HELD)
