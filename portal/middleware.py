"""What happens to every request: web hooks go straight on, pages get the reader's time zone and their policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import resolve, reverse
from django.utils import timezone

Handler = Callable[[HttpRequest], HttpResponse]


class WebHooks:
    """Hands a web hook to its view without the work for pages: it has no session, no reader and no form.

    Stands behind what is asked of every request: a secure connection and, here, a host of ours.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._begin = reverse("hook", args=["x"]).removesuffix("x/")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The view's answer to a web hook, the pages' to everything else."""
        token = request.path.removeprefix(self._begin)
        # As the address is: one part, and the slash behind it.
        if token == request.path or token.find("/") < 1 or token.find("/") < len(token) - 1:
            return self.get_response(request)
        request.get_host()
        match = resolve(request.path_info)
        return match.func(request, *match.args, **match.kwargs)


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
