"""The budget of calls of a system's account: what its vendor and our staff allow, and what all workers have used."""

from __future__ import annotations

from django.db import models

from integrations.models.systems import System


class SystemBudget(models.Model):
    """One system's budget, shared by all workers.  A system without a row has no limit that anybody knows of."""

    system = models.OneToOneField(System, on_delete=models.CASCADE, related_name="budget")
    # Staff's own limit, in calls a minute.
    ceiling = models.PositiveIntegerField(null=True, blank=True)
    # The vendor's as its last answer told it; `left` less what was allowed since.
    limit = models.PositiveIntegerField(null=True, blank=True)
    left = models.IntegerField(null=True, blank=True)
    window_s = models.PositiveIntegerField(null=True, blank=True)
    resets_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    # The vendor asked us to stay away until then, in an answer that was no refusal.
    not_before = models.DateTimeField(null=True, blank=True)
    # Calls by second and by minute since 1970: the last minute and the last hour.
    seconds = models.JSONField(default=dict, blank=True)
    minutes = models.JSONField(default=dict, blank=True)
    # Calls that had to wait for the budget, by minute, and when the last one did.
    held = models.JSONField(default=dict, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"budget of {self.system}"
