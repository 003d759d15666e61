"""What every page knows without its view saying so."""

from __future__ import annotations

from django.http import HttpRequest


def appearance(request: HttpRequest) -> dict[str, str]:
    """The reader's theme (light, dark, or system), for the page's root element."""
    return {"theme": getattr(getattr(request, "user", None), "theme", "system")}
