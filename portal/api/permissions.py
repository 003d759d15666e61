"""Who may use the API: the same roles as on the pages."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.access import may


class MayReadTickets(BasePermission):
    """Somebody who may read linked tickets at one partner at least.  Which ones, `visible_to` decides."""

    message = "Your roles do not allow to read linked tickets."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the person may read tickets anywhere."""
        return may(request.user, "read", "tickets")
