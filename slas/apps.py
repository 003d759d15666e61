"""The slas app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_delete, post_save


class SlasConfig(AppConfig):
    """Registers agreements, calendars and clocks, and listens to what the synchronisation sees."""

    name = "slas"
    verbose_name = "Service levels"

    def ready(self) -> None:
        """Connect the receivers; they need the models, which are loaded only now."""
        from integrations.events import histories_read, presence_changed
        from integrations.models import Side
        from slas import models, receivers

        histories_read.connect(receivers.hear, dispatch_uid="slas_hear")
        presence_changed.connect(receivers.hear_presence, dispatch_uid="slas_hear_presence")
        parts = (
            models.Agreement,
            models.Target,
            models.PriorityMatrix,
            models.Calendar,
            models.Hours,
            models.Holiday,
            models.Closure,
        )
        for signal in (post_save, post_delete):
            for part in parts:
                signal.connect(receivers.terms_edited, sender=part)
            signal.connect(receivers.sides_edited, sender=Side)
        m2m_changed.connect(receivers.connections_edited, sender=models.Agreement.connections.through)
