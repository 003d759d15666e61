"""A connection on its way to being opened, so that whoever is called away goes on where they stopped."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.models.connections import Connection, Side
from integrations.models.systems import System


class ConnectionDraft(models.Model):
    """What was chosen so far, step by step.  It is finished once the first ticket was sent on its way."""

    left = models.ForeignKey(System, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    right = models.ForeignKey(System, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Open, as a draft, since the rules were chosen.
    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # The first ticket, as its own people name it and as its system does.
    first_key = models.CharField(max_length=100, blank=True)
    first_remote_id = models.CharField(max_length=100, blank=True)
    first_side = models.ForeignKey(Side, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    begun_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    begun_at = models.DateTimeField()
    touched_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-touched_at", "pk"]

    def __str__(self) -> str:
        if self.connection is not None:
            return str(self.connection)
        return f"{self.left or 'to be chosen'} – {self.right or 'to be chosen'}"
