"""The sandboxed Jira as one system: sign-in, routes, limits, and what the control API asks of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, ClassVar

from integrations.sandbox.clock import Clock
from integrations.sandbox.hooks import RetryRule
from integrations.sandbox.jira import (
    api_comments,
    api_files,
    api_issues,
    api_properties,
    api_screens,
    api_site,
    api_webhooks,
    api_workflows,
    contents,
    errors,
    events,
)
from integrations.sandbox.jira.acting import Actor
from integrations.sandbox.jira.api_search import Search
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.settings import JiraSettings
from integrations.sandbox.jira.state import Issue, Site, User
from integrations.sandbox.jira.throttle import Throttle
from integrations.sandbox.jira.views import View
from integrations.sandbox.routes import Match, Router
from integrations.sandbox.system import Choice, Entry, Page, Refusal, Row, System, changed_settings
from integrations.sandbox.wire import NotJson, Request, Response, json_response

ROUTES = (
    *api_issues.ROUTES,
    *api_comments.ROUTES,
    *api_files.ROUTES,
    *api_properties.ROUTES,
    *api_screens.ROUTES,
    *api_site.ROUTES,
    *api_workflows.ROUTES,
)


class JiraSystem(System):
    """One Jira Cloud site with one project."""

    kind: ClassVar[str] = "jira"
    label: ClassVar[str] = "Jira Cloud"
    people_paths: ClassVar[tuple[str, ...]] = ("/browse/",)

    def __init__(self, settings: JiraSettings | None = None, clock: Clock | None = None) -> None:
        self._first_settings = settings or JiraSettings()
        rule = RetryRule(events.tries_again, tuple(self._first_settings.retry_delays_s), events.TIMEOUT_S)
        super().__init__(rule, clock)
        self.throttle = Throttle()
        self.site: Site
        self.reset()

    def reset(self) -> None:
        self.site = Site(self._first_settings)
        self.throttle = Throttle()
        self._router, self._webhook_router = Router(), Router()
        for method, pattern, handler in (*ROUTES, *Search().routes):
            self._router.add(method, pattern, handler)
        for method, pattern, handler in api_webhooks.ROUTES:
            self._webhook_router.add(method, pattern, handler)

    # --- The vendor's surface ---

    def answer(self, request: Request) -> tuple[Response, str]:
        if request.path.startswith("/media/"):
            return self._media(request), "/media/{token}"
        router, rest, version = self._surface(request)
        method = "GET" if request.method == "HEAD" else request.method
        found = router.find(method, rest) if router else None
        if isinstance(found, set):
            return json_response({"errorMessages": ["Method Not Allowed"], "errors": {}}, 405), "(unknown)"
        if found is None:
            return json_response({"errorMessages": ["Not found"], "errors": {}}, 404), "(unknown)"
        if not self._is_signed_in(request):
            return errors.unauthorized(), found.pattern
        return self._call(found, request, version), found.pattern

    def _surface(self, request: Request) -> tuple[Router | None, list[str], str]:
        segments = request.segments
        if segments[:2] == ["rest", "api"] and len(segments) > 3 and segments[2] in ("2", "3", "latest"):
            return self._router, segments[3:], "2" if segments[2] == "latest" else segments[2]
        if segments[:3] == ["rest", "webhooks", "1.0"]:
            return self._webhook_router, segments[3:], "2"
        return None, [], ""

    def _call(self, found: Match, request: Request, version: str) -> Response:
        now, method, settings = self.clock.now(), request.method, self.site.settings
        named = self.site.issue(found.values[0]) if found.pattern.startswith("/issue/{id}") else None
        refused = self.throttle.refused(settings, method, found.pattern, str(named.id) if named else "", now)
        if refused is not None:
            return refused
        response = self._handled(found, request, version, now)
        return self.throttle.marked(settings, method, found.pattern, response, now)

    def _handled(self, found: Match, request: Request, version: str, now: datetime) -> Response:
        call = Call(self.site, request, View(self.site, request.origin, version), now, self._tell)
        try:
            response: Response = found.handler(call, *found.values)
        except Wrong as error:
            return error.response()
        except NotJson:
            message = "There was an error parsing JSON. Check that your request body is valid."
            return json_response({"errorMessages": [message], "errors": {}}, 400)
        return response

    def _is_signed_in(self, request: Request) -> bool:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        settings = self.site.settings
        if scheme.lower() != "basic":
            return False
        try:
            email, _, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return email.lower() == settings.email.lower() and token == settings.token

    def _media(self, request: Request) -> Response:
        """The media host: no sign-in, and credentials sent to it are a mistake of the client."""
        if "authorization" in request.headers:
            return Response(400, b"Only one auth mechanism allowed", "text/plain")
        segments = request.segments
        file = self.site.files_by_token.get(segments[1])
        if file is None:
            return Response(404, b"", "text/plain")
        return api_files.file_response(request.headers.get("range", ""), file.data, file.content_type)

    def refusal(self, status: int, retry_after_s: int) -> Response:
        if status == 429:
            resets_at = self.clock.now() + timedelta(seconds=retry_after_s)
            return errors.too_many(
                retry_after_s, "jira-burst-based", 100, resets_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            )
        if status >= 500:
            headers = (("Retry-After", str(retry_after_s)),) if status == 503 else ()
            return Response(status, b"<html><body>Jira is unavailable</body></html>", "text/html", headers)
        if status == 401:
            return errors.unauthorized()
        if status == 404:
            return errors.unseen().response()
        return json_response({"errorMessages": ["Fault"], "errors": {}}, status)

    def _tell(self, issue: Issue, event: str, content: Mapping[str, Any], actor: User) -> None:
        at_ms = int(self.clock.now().timestamp() * 1000)
        for hook in events.hooks_for(self.site, self.origin, issue, event, content, actor, at_ms):
            self.hooks.submit(hook)

    # --- The control API ---

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        return Actor(self.site, View(self.site, self.origin, "2"), self.clock.now(), self._tell).act(action)

    def contents(self, page: Page) -> dict[str, Any]:
        after = int(page.after) if page.after.isdigit() else 0
        since = datetime.fromisoformat(page.since).timestamp() if page.since else 0
        if page.ids:
            chosen = [one for id_ in page.ids if (one := self.site.issue(id_)) is not None]
        else:
            chosen = list(self.site.issues.values())
        fitting = [one for one in chosen if one.id > after and one.touched >= since]
        told = sorted(fitting, key=lambda one: one.id)[: page.limit]
        return {
            "tickets": [contents.issue_content(self.site, one) for one in told],
            "total": len(self.site.issues),
            "after": str(told[-1].id) if len(fitting) > len(told) else None,
        }

    def hook_settings(self) -> dict[str, Any]:
        first = next(iter(self.site.webhooks.values()), None)
        return {"url": first.url, "events": first.events} if first else {"url": "", "events": []}

    def set_hooks(self, values: Mapping[str, Any]) -> dict[str, Any]:
        chosen = list(values.get("events") or events.FIRST)
        if unknown := [one for one in chosen if one not in events.ALL]:
            raise Refusal(f"There is no event {unknown[0]!r}.")
        url = str(values.get("url") or "")
        secret = str(values.get("secret") or "")
        self.site.webhooks.clear()
        if url:
            self.site.add_webhook("Concord", url, secret, chosen)
        return {**self.hook_settings(), "secret": secret}

    def settings_value(self) -> dict[str, Any]:
        return asdict(self.site.settings)

    def change_settings(self, values: Mapping[str, Any]) -> None:
        settings = changed_settings(self.site.settings, values)
        names = [one["name"] for one in settings.statuses]
        for one in settings.transitions:
            if unknown := [name for name in (*one["from"], one["to"]) if name not in names]:
                raise Refusal(
                    f"The transition {one['name']!r} names the status {unknown[0]!r}, which is not there."
                )
        self._first_settings = self.site.settings = settings
        self.hooks.rule = RetryRule(events.tries_again, tuple(settings.retry_delays_s), events.TIMEOUT_S)
        user = self.site.api_user
        self.site.users_by_mail.pop(user.email.lower(), None)
        user.email, user.time_zone = settings.email, settings.time_zone
        self.site.users_by_mail[user.email.lower()] = user

    def sign_in(self) -> dict[str, str]:
        settings = self.site.settings
        return {
            "url": self.origin,
            "email": settings.email,
            "token": settings.token,
            "project": settings.project_key,
        }

    # --- The operator's pages ---

    def rows(self, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
        return contents.rows(self.site, words, offset, limit)

    def history(self, ticket_id: str) -> Sequence[Entry]:
        return contents.history(self.site.issues[int(ticket_id)])

    def choices(self, ticket_id: str = "") -> Sequence[Choice]:
        return contents.choices(self.site)

    def find_id(self, key: str) -> str | None:
        issue = self.site.issue(key)
        return str(issue.id) if issue is not None else None
