"""Which alerts a person may see: those of partners at which the roles allow it; the portal's own are the operators'."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from integrations.models import Alert, Partner, Side
from integrations.querysets import AlertQuerySet
from portal.access import Someone, rights_of
from portal.acting import require_everywhere
from portal.tickets import require_at_one


def visible_alerts(user: Someone, action: str = "read") -> AlertQuerySet:
    """Alerts that the person may read, or acknowledge with `write`; none by default."""
    places = rights_of(user).partner_ids("alerts", action)
    alerts: AlertQuerySet = Alert.objects.all()
    return alerts if places is None else alerts.of_partners(list(places))


def alert_for(user: Someone, pk: int, action: str = "read") -> Alert:
    """The alert; 404 when it is none of the person's, 403 when the roles there do not allow this."""
    found = visible_alerts(user).select_related(
        "system__partner", "connection", "endpoint__partner", "acknowledged_by"
    )
    alert = get_object_or_404(found, pk=pk)
    if action != "read":
        partners = partners_of(alert)
        if not partners:
            require_everywhere(user, action, "alerts")
        else:
            require_at_one(user, action, "alerts", [one.pk for one in partners])
    return alert


def partners_of(alert: Alert) -> list[Partner]:
    """Whose matter it is: both companies of a connection, one of a system or endpoint, nobody's for the portal itself."""
    if alert.connection_id:
        sides = Side.objects.filter(connection=alert.connection_id).select_related("system__partner")
        return [side.system.partner for side in sides.order_by("position")]
    owner = alert.system or alert.endpoint
    return [owner.partner] if owner and owner.partner else []
