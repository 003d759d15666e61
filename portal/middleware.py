"""What happens to every request: the reader's time zone, and on Django 5.2 the content security policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

Handler = Callable[[HttpRequest], HttpResponse]


def time_zone(get_response: Handler) -> Handler:
    """Show times in the zone that the signed-in person chose; in UTC to everybody else."""

    def respond(request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "UTC")
        with timezone.override(ZoneInfo(name)):
            return get_response(request)

    return respond


class ContentSecurityPolicyMiddleware:
    """Django 6's middleware of this name, for Django 5.2: same settings, same header.  Without nonces."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the policies of the settings, unless the view set its own."""
        response = self.get_response(request)
        for header, policy in (
            ("Content-Security-Policy", settings.SECURE_CSP),
            ("Content-Security-Policy-Report-Only", settings.SECURE_CSP_REPORT_ONLY),
        ):
            if policy:
                response.headers.setdefault(header, build_policy(policy))
        return response


def build_policy(policy: Mapping[str, Iterable[str]]) -> str:
    """The header's text for a policy of the settings."""
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in policy.items())
