"""The sandboxed ServiceNow as one system: sign-in, routes, rate limits, and what the control API asks of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from integrations.sandbox.clock import Clock
from integrations.sandbox.hooks import RetryRule
from integrations.sandbox.limits import Limits
from integrations.sandbox.routes import Match, Router
from integrations.sandbox.servicenow import (
    api_batch,
    api_files,
    api_table,
    contents,
    errors,
    events,
    seeds,
    signing_in,
)
from integrations.sandbox.servicenow.acting import Actor
from integrations.sandbox.servicenow.context import Call
from integrations.sandbox.servicenow.errors import Failed
from integrations.sandbox.servicenow.settings import ServiceNowSettings
from integrations.sandbox.servicenow.state import TASKS, Hook, Instance, Record
from integrations.sandbox.system import Choice, Entry, Page, Refusal, Row, System, changed_settings
from integrations.sandbox.wire import NotJson, Request, Response

ROUTES = (*api_table.ROUTES, *api_files.ROUTES, *api_batch.ROUTES)
HOUR_S = 3600
ASLEEP = (
    b"<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head><body><h1>Hibernating Instance"
    b"</h1><p>Sign in to the developer site to wake it up.</p></body></html>"
)


def _router() -> Router:
    router = Router()
    for method, pattern, handler in ROUTES:
        router.add(method, pattern, handler)
    return router


class ServiceNowSystem(System):
    """One ServiceNow instance."""

    kind: ClassVar[str] = "servicenow"
    label: ClassVar[str] = "ServiceNow"
    people_paths: ClassVar[tuple[str, ...]] = ("/nav_to.do", *(f"/{table}.do" for table in TASKS))

    def __init__(self, settings: ServiceNowSettings | None = None, clock: Clock | None = None) -> None:
        self._first_settings = settings or ServiceNowSettings()
        rule = RetryRule(events.tries_again, tuple(self._first_settings.retry_delays_s), events.TIMEOUT_S)
        super().__init__(rule, clock)
        self._router = _router()
        self.limits = Limits()
        self.instance: Instance
        self.reset()

    def reset(self) -> None:
        self.instance = Instance(self._first_settings)
        self.limits.clear()
        seeds.seed(self.instance)

    # --- The vendor's surface ---

    def answer(self, request: Request) -> tuple[Response, str]:
        now = self.clock.now()
        if self.instance.settings.hibernating:
            return Response(200, ASLEEP, "text/html;charset=UTF-8"), "(hibernating)"
        if request.path == signing_in.TOKEN_PATH:
            return signing_in.token(self.instance, request, now.timestamp()), signing_in.TOKEN_PATH
        return self._ask(request, now)

    def _ask(self, request: Request, now: datetime) -> tuple[Response, str]:
        segments = request.segments
        if segments[:2] != ["api", "now"]:
            return errors.no_resource(), "(unknown)"
        version = int(segments[2][1:]) if len(segments) > 2 and re.fullmatch(r"v[1-9]", segments[2]) else 0
        method = request.headers.get("x-http-method-override", request.method).upper()
        found = self._router.find("GET" if method == "HEAD" else method, segments[3 if version else 2 :])
        if found is None:
            return errors.no_resource(), "(unknown)"
        if not isinstance(found, Match):
            return errors.failure(405, "Method not supported"), "(unknown)"
        header = request.headers.get("authorization", "")
        actor = signing_in.actor_of(self.instance, header, now.timestamp())
        if actor is None:
            return errors.unauthorized(), found.pattern
        return self._limited(found, request, Call(
            self.instance, request, actor, signing_in.roles_of(self.instance, actor), now, version, self._tell,
            lambda one: self._ask(one, now)[0],
        )), found.pattern  # fmt: skip

    def _limited(self, found: Match, request: Request, call: Call) -> Response:
        """The answer, or 429 where a rate limit rule counts so many requests an hour."""
        limit = self.instance.settings.requests_per_hour
        if not limit:
            return self._called(found, request, call)
        now = int(call.now.timestamp())
        hour = now // HOUR_S
        reset = (hour + 1) * HOUR_S
        over = self.limits.over(f"hour {hour}", limit, HOUR_S, now) is not None
        response = errors.too_many(limit, reset - now) if over else self._called(found, request, call)
        return response.with_headers(
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Reset", str(reset)),
            ("X-RateLimit-Rule", self.instance.new_id("sys_rate_limit_rules Table API")),
        )

    def _called(self, found: Match, request: Request, call: Call) -> Response:
        if not request.headers.get("accept"):
            return errors.failure(400, "Bad Request", "The Accept header is mandatory")
        if request.method in ("POST", "PUT", "PATCH") and not request.headers.get("content-type"):
            return errors.failure(400, "Bad Request", "The Content-Type header is mandatory")
        try:
            response: Response = found.handler(call, *found.values)
        except Failed as error:
            return errors.failure(error.status, error.message, error.detail)
        except NotJson as error:
            return errors.failure(400, "Exception while reading request", str(error))
        return response

    def refusal(self, status: int, retry_after_s: int) -> Response:
        if status == 401:
            return errors.unauthorized()
        if status == 429:
            return errors.too_many(self.instance.settings.requests_per_hour or 100, retry_after_s)
        if status >= 500:
            headers = (("Retry-After", str(retry_after_s)),) if status == 503 else ()
            return Response(
                status, b"<html><body>The instance is unavailable</body></html>", "text/html", headers
            )
        if status == 404:
            error = errors.no_record()
            return errors.failure(error.status, error.message, error.detail)
        return errors.failure(status, "Operation Failed", "Fault")

    def _tell(self, record: Record, actor: Record) -> None:
        if self.instance.hook.url:
            self.hooks.submit(events.hook_for(self.instance.hook, record, actor, self.clock.now()))

    # --- The control API ---

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        return Actor(self.instance, self.clock.now(), self._tell).act(action)

    def contents(self, page: Page) -> dict[str, Any]:
        instance = self.instance
        last = instance.record("task", page.after)
        after = last.made if last is not None else 0
        since = datetime.fromisoformat(page.since).timestamp() if page.since else 0.0
        if page.ids:
            asked = (instance.record("task", one) for one in page.ids)
            chosen = sorted((one for one in asked if one is not None), key=lambda one: one.made)
        else:
            chosen = instance.tasks()
        fitting = [one for one in chosen if one.made > after and one.touched >= since]
        told = fitting[: page.limit]
        return {
            "tickets": [contents.task_content(instance, one) for one in told],
            "total": instance.count("task"),
            "after": told[-1].id if len(fitting) > len(told) else None,
        }

    def hook_settings(self) -> dict[str, Any]:
        return {"url": self.instance.hook.url}

    def set_hooks(self, values: Mapping[str, Any]) -> dict[str, Any]:
        url = str(values.get("url") or "")
        secret = str(values.get("secret") or (self.instance.new_token() if url else ""))
        self.instance.hook = Hook(url, secret)
        return {**self.hook_settings(), "secret": secret} if url else self.hook_settings()

    def settings_value(self) -> dict[str, Any]:
        return asdict(self.instance.settings)

    def change_settings(self, values: Mapping[str, Any]) -> None:
        before = self.instance.settings
        chosen = changed_settings(before, values)
        try:
            self._describe(chosen)
        except (KeyError, TypeError, ValueError) as error:
            self._describe(before)
            raise Refusal(f"The tables cannot be made so: {error!r}.") from error
        self._first_settings = chosen
        self.hooks.rule = RetryRule(events.tries_again, tuple(chosen.retry_delays_s), events.TIMEOUT_S)

    def _describe(self, settings: ServiceNowSettings) -> None:
        ZoneInfo(settings.time_zone)
        self.instance.settings = settings
        self.instance.read_settings()
        seeds.describe(self.instance)

    def sign_in(self) -> dict[str, str]:
        settings = self.instance.settings
        return {"url": self.origin, "username": settings.username, "password": settings.password}

    # --- The operator's pages ---

    def rows(self, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
        return contents.rows(self.instance, words, offset, limit)

    def history(self, ticket_id: str) -> Sequence[Entry]:
        record = self.instance.record("task", ticket_id)
        return contents.history(self.instance, record) if record is not None else ()

    def choices(self, ticket_id: str = "") -> Sequence[Choice]:
        return contents.choices(self.instance, self.instance.record("task", ticket_id))

    def find_id(self, key: str) -> str | None:
        found = self.instance.record("task", key) or self.instance.first("task", "number", key)
        return found.id if found is not None else None

    def key_in(self, request: Request) -> str:
        query = request.one("sys_id") or request.one("uri")
        return query.rpartition("sys_id=")[2].partition("&")[0]
