"""Systems: a partner's Jira, ServiceNow, Azure DevOps or Zendesk, its credentials, its health and its web hooks."""

from __future__ import annotations

import secrets

from django.db import models

from integrations.canonical import FieldKind
from integrations.connectors import registry
from integrations.mapping.files import FilePolicy
from integrations.models.partners import Partner
from integrations.querysets import SystemQuerySet


def new_hook_token() -> str:
    """An address part nobody can guess."""
    return secrets.token_urlsafe(18)


class System(models.Model):
    """One partner's ticket tool."""

    class Environment(models.TextChoices):
        SANDBOX = "sandbox", "Sandbox"
        STAGING = "staging", "Staging"
        PRODUCTION = "production", "Production"

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        # Credentials were refused: nothing is tried until a person has looked.
        STOPPED = "stopped", "Stopped"

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="systems")
    name = models.CharField(max_length=120)
    # A callable keeps the list of vendors out of the migrations.
    kind = models.CharField(max_length=40, choices=registry.labels)
    base_url = models.URLField("address", max_length=300)
    environment = models.CharField(max_length=20, choices=Environment, default=Environment.SANDBOX)
    # What the connector's form asks, secrets excepted.
    settings = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.ACTIVE)
    # The code of the last failure and its sentence; empty while all is well.
    failure_code = models.CharField(max_length=40, blank=True)
    failure_message = models.CharField(max_length=500, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    fail_streak = models.PositiveIntegerField(default=0)
    # The circuit breaker: no call before this time.
    paused_until = models.DateTimeField(null=True, blank=True)
    # Our own account there, as its history names it; learnt by the connection test.
    account_id = models.CharField(max_length=200, blank=True)
    account_alias = models.CharField(max_length=200, blank=True)
    account_name = models.CharField(max_length=200, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_problems = models.JSONField(default=list, blank=True)
    # Fields, types and allowed values as last read from the system.
    metadata = models.JSONField(default=dict, blank=True)
    metadata_at = models.DateTimeField(null=True, blank=True)
    # When to read them again, and why the last try brought nothing.
    metadata_due_at = models.DateTimeField(null=True, blank=True)
    metadata_problem = models.CharField(max_length=500, blank=True)
    hook_token = models.CharField(max_length=64, unique=True, default=new_hook_token)
    hooked_at = models.DateTimeField("last web hook", null=True, blank=True)
    poll_cursor = models.TextField(blank=True)
    poll_due_at = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SystemQuerySet.as_manager()

    class Meta:
        ordering = ["partner__name", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "name"],
                name="system_name_once_per_partner",
                violation_error_message="This partner has a system of that name already.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def person_fields(self) -> frozenset[str]:
        """Its fields that hold a person, as last read from it."""
        rows = self.metadata.get("fields", [])
        return frozenset(row["name"] for row in rows if row.get("kind") == FieldKind.PERSON.value)

    @property
    def takes_files(self) -> FilePolicy:
        """What it says itself of the files it takes, as last read from it; nothing where it does not tell."""
        told = self.metadata.get("files", {})
        return FilePolicy(int(told.get("max_bytes") or 0), tuple(told.get("endings") or ()))

    @property
    def kind_label(self) -> str:
        """The vendor's product name."""
        return registry.label(self.kind)


class SystemSecret(models.Model):
    """One credential of a system, sealed; never shown again, only its last characters."""

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=60)
    sealed = models.TextField()
    hint = models.CharField(max_length=8, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    # The last day on which it holds, as somebody entered it: none of the vendors tells.
    expires_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "name"], name="secret_once_per_system")]

    def __str__(self) -> str:
        return f"{self.name} of {self.system}"

    @property
    def place(self) -> str:
        """What the ciphertext is bound to."""
        return place_of(self.system_id, self.name)


def place_of(system_id: int, name: str) -> str:
    """The place a secret is sealed for."""
    return f"system:{system_id}:{name}"


class HookReceipt(models.Model):
    """A web hook that was taken in, so that the same one sent again changes nothing."""

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="hook_receipts", db_index=False)
    delivery_id = models.CharField(max_length=200)
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "delivery_id"], name="hook_taken_once")]

    def __str__(self) -> str:
        return self.delivery_id


class Heartbeat(models.Model):
    """When a part of the background work last ran; a page warns when it did not."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
