"""The page for a form that came without its token."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the page was open for too long, or the form came from elsewhere."""
    return render(request, "403.html", {"stale_form": True}, status=403)
