"""What is known of a system's web hooks at the vendor: whether they are registered there, and since when."""

from __future__ import annotations

from django.db import models

from integrations.models.systems import System


class HookStanding(models.Model):
    """One system's web hooks as its vendor lists them.  A system without a row was never looked at."""

    class State(models.TextChoices):
        UNKNOWN = "unknown", "Not looked yet"
        THERE = "there", "Registered"
        OFF = "off", "Switched off there"
        # Some kinds of events have a web hook, others none.
        PARTLY = "partly", "Registered in part"
        MISSING = "missing", "Not registered"

    system = models.OneToOneField(System, on_delete=models.CASCADE, related_name="hook_standing")
    state = models.CharField(max_length=10, choices=State, default=State.UNKNOWN)
    # It was there once and nobody took it away here: then missing is a finding.
    is_expected = models.BooleanField(default=False)
    # When the vendor last told, and when a registration last succeeded.
    looked_at = models.DateTimeField(null=True, blank=True)
    registered_at = models.DateTimeField(null=True, blank=True)
    # Somebody took them away here: then silence is what was wanted.
    removed_at = models.DateTimeField(null=True, blank=True)
    # Why the last attempt brought nothing; empty while all is well.
    problem_code = models.CharField(max_length=40, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    # When to look again.
    due_at = models.DateTimeField(null=True, blank=True)
    # Somebody registers or removes at this moment, and until when that is believed.
    claimed_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"web hooks of {self.system}"
