"""The sandboxed Zendesk as one system: sign-in, routes, rate headers, and what the control API asks of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar

from integrations.sandbox.clock import Clock, stamp
from integrations.sandbox.hooks import RetryRule
from integrations.sandbox.limits import Limits
from integrations.sandbox.routes import Match, Router
from integrations.sandbox.system import Choice, Entry, Page, Row, System, changed_settings
from integrations.sandbox.wire import NotJson, Request, Response
from integrations.sandbox.zendesk import (
    api_account,
    api_files,
    api_many,
    api_tickets,
    api_webhooks,
    contents,
    errors,
    events,
)
from integrations.sandbox.zendesk.acting import Actor
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.errors import Invalid, Missing
from integrations.sandbox.zendesk.settings import ZendeskSettings
from integrations.sandbox.zendesk.state import Desk, Ticket, User

_EVENTS = sorted({*events.KINDS.values(), "created", "comment_added", "attachment_linked_to_comment",
                  "custom_field_changed", "soft_deleted", "undeleted"})  # fmt: skip


ROUTES = (
    *api_tickets.ROUTES,
    *api_many.ROUTES,
    *api_files.ROUTES,
    *api_account.ROUTES,
    *api_webhooks.ROUTES,
)


def _router() -> Router:
    router = Router()
    for method, pattern, handler in ROUTES:
        router.add(method, pattern, handler)
    return router


class ZendeskSystem(System):
    """One Zendesk account."""

    kind: ClassVar[str] = "zendesk"
    label: ClassVar[str] = "Zendesk"
    people_paths: ClassVar[tuple[str, ...]] = ("/agent/tickets/",)

    def __init__(self, settings: ZendeskSettings | None = None, clock: Clock | None = None) -> None:
        self._first_settings = settings or ZendeskSettings()
        rule = RetryRule(events.tries_again, tuple(self._first_settings.retry_delays_s), events.TIMEOUT_S)
        super().__init__(rule, clock)
        self._router = _router()
        self._known_headers: dict[str, User] = {}
        self.limits = Limits()
        self.desk: Desk
        self.reset()

    def reset(self) -> None:
        self.desk = Desk(self._first_settings, stamp(self.clock.now()))
        self.limits.clear()
        self._known_headers.clear()

    # --- The vendor's surface ---

    def answer(self, request: Request) -> tuple[Response, str]:
        path = request.path
        if path.startswith("/attachments/token/"):
            return self._file(request), "/attachments/token/{token}"
        if not path.startswith("/api/v2/"):
            return errors.no_endpoint(), "(unknown)"
        segments = request.segments[2:]
        segments[-1] = segments[-1].removesuffix(".json")
        method = "GET" if request.method == "HEAD" else request.method
        found = self._router.find(method, segments)
        if not isinstance(found, Match):
            return errors.no_endpoint(), "(unknown)"
        actor = self._actor(request)
        if actor is None:
            return errors.unauthorized(), found.pattern
        return self._rated(self._call(found, request, actor)), found.pattern

    def _call(self, found: Match, request: Request, actor: User) -> Response:
        now = self.clock.now()
        wait = self.limits.over("account", self.desk.settings.requests_per_minute, 60, now.timestamp())
        if wait is not None:
            return errors.too_many(wait)
        call = Call(self.desk, self.limits, request, actor, now, self._tell)
        try:
            response: Response = found.handler(call, *found.values)
        except Invalid as error:
            return errors.record_invalid(error)
        except Missing:
            return errors.not_found()
        except NotJson:
            return errors.bad_request("The request body could not be read as JSON", "UnprocessableEntity")
        return response

    def _rated(self, response: Response) -> Response:
        settings, now = self.desk.settings, self.clock.now().timestamp()
        limit = settings.requests_per_minute or settings.shown_rate_limit
        used = self.limits.used("account", 60, now) if settings.requests_per_minute else 0
        left = str(limit - used)
        return response.with_headers(
            ("X-Rate-Limit", str(limit)),
            ("X-Rate-Limit-Remaining", left),
            ("ratelimit-limit", str(limit)),
            ("ratelimit-remaining", left),
            ("ratelimit-reset", str(60 - int(now) % 60)),
        )

    def _actor(self, request: Request) -> User | None:
        """`email/token:TOKEN` as Basic, or the token as Bearer.  The header is decoded once for each sign-in."""
        header = request.headers.get("authorization", "")
        known = self._known_headers.get(header)
        if known is None and (known := self._read_sign_in(header)) is not None:
            self._known_headers[header] = known
        return known

    def _read_sign_in(self, header: str) -> User | None:
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return self.desk.api_user if value == self.desk.settings.token else None
        if scheme.lower() != "basic":
            return None
        try:
            name, _, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not name.endswith("/token") or token != self.desk.settings.token:
            return None
        user = self.desk.users_by_mail.get(name.removesuffix("/token").lower())
        return user if user is not None and user.is_agent else None

    def _file(self, request: Request) -> Response:
        """A file's bytes.  The token in the address is the only key, so that no credentials are needed."""
        segments = request.segments
        file = self.desk.files_by_token.get(segments[2] if len(segments) > 2 else "")
        if file is None:
            return errors.not_found()
        return Response(200, file.data, file.content_type, (("Content-Disposition", "attachment"),))

    def refusal(self, status: int, retry_after_s: int) -> Response:
        if status == 429:
            return errors.too_many(retry_after_s)
        if status >= 500:
            headers = (("Retry-After", str(retry_after_s)),) if status == 503 else ()
            return Response(status, b"<html><body>Zendesk is unavailable</body></html>", "text/html", headers)
        if status == 401:
            return errors.unauthorized()
        if status == 404:
            return errors.not_found()
        return Response(status, errors.bad_request("Fault").body)

    def _tell(self, ticket: Ticket, told: list[events.Event], actor_id: int) -> None:
        if self.desk.webhooks:
            for hook in events.hooks_for(self.desk, ticket, told, actor_id, self.clock.now()):
                self.hooks.submit(hook)

    # --- The control API ---

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        return Actor(self.desk, self.clock.now(), self._tell).act(action)

    def contents(self, page: Page) -> dict[str, Any]:
        after = int(page.after) if page.after.isdigit() else 0
        since = _seconds(page.since)
        if page.ids:
            chosen = [
                self.desk.tickets[int(one)]
                for one in page.ids
                if one.isdigit() and int(one) in self.desk.tickets
            ]
        else:
            chosen = list(self.desk.tickets.values())
        fitting = [one for one in chosen if one.id > after and one.generated >= since]
        told = sorted(fitting, key=lambda one: one.id)[: page.limit]
        return {
            "tickets": [contents.ticket_content(self.desk, one) for one in told],
            "total": len(self.desk.tickets),
            "after": str(told[-1].id) if len(fitting) > len(told) else None,
            "placeholders": [{"ticket": str(id_), "text": text} for id_, text in self.desk.placeholders],
        }

    def hook_settings(self) -> dict[str, Any]:
        found = next(iter(self.desk.webhooks.values()), None)
        return {
            "url": found.endpoint if found else "",
            "events": found.subscriptions if found else [],
            "all": [{"id": one.id, "url": one.endpoint} for one in self.desk.webhooks.values()],
        }

    def set_hooks(self, values: Mapping[str, Any]) -> dict[str, Any]:
        self.desk.webhooks.clear()
        if url := str(values.get("url") or ""):
            wanted = {
                "name": "Concord",
                "endpoint": url,
                "secret": values.get("secret"),
                "subscriptions": values.get("events") or [events.PREFIX + one for one in _EVENTS],
            }
            made = api_webhooks.add_webhook(self.desk, wanted, self.desk.api_user.id, stamp(self.clock.now()))
            return {**self.hook_settings(), "secret": made.secret}
        return self.hook_settings()

    def settings_value(self) -> dict[str, Any]:
        return asdict(self.desk.settings)

    def change_settings(self, values: Mapping[str, Any]) -> None:
        settings = changed_settings(self.desk.settings, values)
        self._first_settings = self.desk.settings = settings
        self._known_headers.clear()
        self.hooks.rule = RetryRule(events.tries_again, tuple(settings.retry_delays_s), events.TIMEOUT_S)
        if (user := self.desk.api_user).email != settings.email:
            self.desk.users_by_mail.pop(user.email.lower(), None)
            user.email = settings.email
            self.desk.users_by_mail[user.email.lower()] = user
        self.desk.api_user.time_zone = settings.time_zone

    def sign_in(self) -> dict[str, str]:
        return {"url": self.origin, "email": self.desk.settings.email, "token": self.desk.settings.token}

    # --- The operator's pages ---

    def rows(self, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
        return contents.rows(self.desk, words, offset, limit)

    def history(self, ticket_id: str) -> Sequence[Entry]:
        return contents.history(self.desk, self.desk.tickets[int(ticket_id)])

    def choices(self, ticket_id: str = "") -> Sequence[Choice]:
        return contents.choices(self.desk, is_new=not ticket_id)

    def find_id(self, key: str) -> str | None:
        number = key.removeprefix("#")
        return number if number.isdigit() and int(number) in self.desk.tickets else None


def _seconds(since: str) -> int:
    """Seconds of an ISO time; 0 for none."""
    return int(datetime.fromisoformat(since).timestamp()) if since else 0
