"""The portal app: connects what happens when a partner is added and when there is news of an alert; registers checks."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_save


class PortalConfig(AppConfig):
    """The product people see."""

    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        """Register checks and receivers; both need the models, which are loaded only now."""
        from integrations.events import alert_told
        from portal import access, checks, mailing  # noqa: F401  # importing checks registers them

        def open_new_partner(instance: Any, created: bool, raw: bool, **kwargs: Any) -> None:
            if created and not raw:
                access.open_partner(instance)

        post_save.connect(
            open_new_partner, sender="integrations.Partner", weak=False, dispatch_uid="open_new_partner"
        )
        alert_told.connect(mailing.hear, dispatch_uid="mail_alerts")
