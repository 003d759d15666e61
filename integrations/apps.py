"""The integrations app."""

from __future__ import annotations

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Registers the models of partners, connections, mappings and tickets."""

    name = "integrations"
    verbose_name = "Integrations"

    def ready(self) -> None:
        """Connect what notes events for endpoints; it needs the models, which are loaded only now."""
        from integrations import events
        from integrations.services import outgoing

        events.alert_told.connect(outgoing.hear_alert, dispatch_uid="outgoing_alerts")
        events.lane_parked.connect(outgoing.hear_parked, dispatch_uid="outgoing_parked")
        events.lane_resumed.connect(outgoing.hear_resumed, dispatch_uid="outgoing_resumed")
        events.histories_read.connect(outgoing.hear_news, dispatch_uid="outgoing_news")
