"""The portal app: connects what has to happen when a partner is added, and registers the deployment checks."""

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
        from portal import access, checks  # noqa: F401  # importing checks registers them

        def open_new_partner(instance: Any, created: bool, raw: bool, **kwargs: Any) -> None:
            if created and not raw:
                access.open_partner(instance)

        post_save.connect(
            open_new_partner, sender="integrations.Partner", weak=False, dispatch_uid="open_new_partner"
        )
