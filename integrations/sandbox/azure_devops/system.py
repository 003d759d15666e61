"""The sandboxed Azure DevOps as one system: the gate, routes, limits, and what the control API asks of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, ClassVar

from integrations.sandbox.azure_devops import (
    api_account,
    api_comments,
    api_files,
    api_hooks,
    api_items,
    api_publishers,
    api_query,
    api_types,
    contents,
    errors,
    events,
    locations,
    throttle,
)
from integrations.sandbox.azure_devops.acting import Actor
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Improper, Wrong
from integrations.sandbox.azure_devops.process import PROCESSES
from integrations.sandbox.azure_devops.settings import AzureDevOpsSettings
from integrations.sandbox.azure_devops.state import Organization, Subscription, WorkItem
from integrations.sandbox.azure_devops.views import View
from integrations.sandbox.clock import Clock
from integrations.sandbox.hooks import RetryRule
from integrations.sandbox.limits import Limits
from integrations.sandbox.routes import Match, Router
from integrations.sandbox.system import Choice, Entry, Page, Refusal, Row, System, changed_settings
from integrations.sandbox.wire import NotJson, Request, Response, json_response, see_other

ROUTES = (
    *api_items.ROUTES,
    *api_comments.ROUTES,
    *api_files.ROUTES,
    *api_query.ROUTES,
    *api_types.ROUTES,
    *api_account.ROUTES,
    *api_hooks.ROUTES,
    *api_publishers.ROUTES,
)
RIGHTS = ("write", "hooks", "bypass_rules", "destroy")
_VERSION = re.compile(r"^(\d+)\.(\d+)(-preview(?:\.\d+)?)?$")
_ACCEPTED_VERSION = re.compile(r"api-version=([^;,\s]+)", re.IGNORECASE)
# Resources that no version has released.
_PREVIEWS = ("/wit/workitems/{id}/comments", "/connectiondata", "/wit/tags")
_HEADER = "X-Concord-Secret"


class AzureDevOpsSystem(System):
    """One organisation of Azure DevOps Services with one project."""

    kind: ClassVar[str] = "azure_devops"
    label: ClassVar[str] = "Azure DevOps"
    has_internal_comments: ClassVar[bool] = False

    def __init__(self, settings: AzureDevOpsSettings | None = None, clock: Clock | None = None) -> None:
        self._first_settings = settings or AzureDevOpsSettings()
        rule = RetryRule(events.tries_again, tuple(self._first_settings.retry_delays_s), events.TIMEOUT_S)
        super().__init__(rule, clock)
        self._router = Router()
        for method, pattern, handler in ROUTES:
            self._router.add(method, pattern, handler)
        self.limits = Limits()
        self.organization: Organization
        self.reset()

    def reset(self) -> None:
        self.organization = Organization(self._first_settings)
        self.limits.clear()
        self._hooks_to: dict[str, Any] = {"url": "", "secret": "", "events": []}

    # --- The vendor's surface ---

    def answer(self, request: Request) -> tuple[Response, str]:
        segments = request.segments
        settings = self.organization.settings
        if "_workitems" in segments:
            # The address that the vendor's people know; here the operator's page has it.
            return see_other(f"/_sandbox/tickets/{segments[-1]}"), "/_workitems/edit/{id}"
        if "_apis" not in segments:
            return errors.no_resource(request), "(unknown)"
        at = segments.index("_apis")
        scope, rest = segments[:at], segments[at + 1 :]
        if scope and scope[0].lower() != settings.organization.lower():
            return errors.no_resource(request), "(unknown)"
        if request.method == "OPTIONS":
            view = View(self.organization, request.origin)
            return self._gated(request) or json_response(view.collection(locations.values())), "OPTIONS"
        found = self._find(request.method, rest)
        if not isinstance(found, Match):
            wrong = errors.no_method(request.method) if found else errors.no_resource(request)
            return self._gated(request) or wrong, "(unknown)"
        return self._gated(request) or self._call(found, request, scope[1:]), found.pattern

    def _find(self, method: str, rest: Sequence[str]) -> Match | set[str] | None:
        """Addresses do not care about capitals; what stands for an id or a name keeps its own."""
        found = self._router.find("GET" if method == "HEAD" else method, [one.lower() for one in rest])
        if not isinstance(found, Match):
            return found
        pattern = found.pattern.strip("/").split("/")
        values = [one for one, part in zip(rest, pattern, strict=True) if part.startswith("{")]
        return Match(found.handler, found.pattern, tuple(values))

    def _gated(self, request: Request) -> Response | None:
        """What somebody meets who may not come in."""
        settings = self.organization.settings
        if not self._is_signed_in(request):
            # Those who say that they are programs are told plainly.
            suppressed = request.headers.get("x-tfs-fedauthredirect", "").lower() == "suppress"
            status = 401 if suppressed else int(settings.wrong_sign_in)
            return errors.sign_in_page(status, request.origin)
        return errors.expired() if settings.token_expired else None

    def _is_signed_in(self, request: Request) -> bool:
        """Basic with any name and the token as password, or the token as Bearer."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        token = self.organization.settings.token
        if scheme.lower() == "bearer":
            return value == token
        try:
            words = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and words.partition(":")[2] == token

    def _call(self, found: Match, request: Request, scope: Sequence[str]) -> Response:
        settings, now = self.organization.settings, self.clock.now()
        use = throttle.Use(self.limits, settings.tstu_limit, now.timestamp())
        if (wait := use.refused()) is not None:
            return use.marked(errors.blocked("https://aka.ms/azdev-rate-limits", wait), 0)
        try:
            version = _version(found, request)
            if scope and scope[0].lower() not in (self.organization.project_id, settings.project.lower()):
                raise errors.no_project(scope[0])
            view = View(self.organization, request.origin, as_objects=int(version.partition(".")[0]) >= 5)
            call = Call(
                self.organization,
                request,
                view,
                now,
                bool(scope),
                self._tell,
                lambda one, event: self._send(one, event),
            )
            response: Response = found.handler(call, *found.values)
        except (Wrong, Improper) as error:
            response = error.response()
            version = ""
        except NotJson:
            response = errors.not_a_patch().response()
            version = ""
        if version and response.content_type.startswith("application/json"):
            response = replace(
                response, content_type=f"application/json; charset=utf-8; api-version={version}"
            )
        return use.marked(response, settings.tstu_delay_ms / 1000)

    def refusal(self, status: int, retry_after_s: int) -> Response:
        if status == 429:
            return errors.blocked("https://aka.ms/azdev-rate-limits", retry_after_s)
        if status >= 500:
            headers = (("Retry-After", str(retry_after_s)),) if status == 503 else ()
            page = (
                b"<!DOCTYPE html><html><head><title>Azure DevOps Services Unavailable</title></head></html>"
            )
            return Response(status, page, "text/html; charset=utf-8", headers)
        if status in (401, 203, 302):
            return errors.sign_in_page(status, self.origin)
        if status == 404:
            return errors.unseen_item(0).response()
        if status == 412:
            return errors.failed_test("/rev", 2, 1).response()
        if status == 409:
            return errors.mismatch().response()
        return Wrong("The request failed.", "VssServiceException", status, space=errors.COMMON).response()

    # --- Service hooks ---

    def _tell(self, event: events.Event) -> None:
        view = View(self.organization, self.origin)
        for one in self.organization.subscriptions.values():
            if events.wants(self.organization, view, one, event):
                self._send(one, event)

    def _send(self, one: Subscription, event: events.Event) -> None:
        at_ms = int(self.clock.now().timestamp() * 1000)
        self.hooks.submit(events.hook_for(View(self.organization, self.origin), one, event, at_ms))

    def hook_settings(self) -> dict[str, Any]:
        return {name: self._hooks_to[name] for name in ("url", "events")}

    def set_hooks(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """As an administrator sets it up by hand: one subscription for each event, the secret as Basic and header.

        `events` chooses among them, `username` is the name in Basic, `header` the header's name.
        """
        chosen = list(values.get("events") or events.ALL)
        if unknown := [one for one in chosen if one not in events.ALL]:
            raise Refusal(f"There is no event {unknown[0]!r}.")
        url, secret = str(values.get("url") or ""), str(values.get("secret") or "")
        ours = set(self._hooks_to.get("ids", ()))
        kept = {id_: one for id_, one in self.organization.subscriptions.items() if id_ not in ours}
        self.organization.subscriptions = kept
        inputs = {"url": url, "resourceDetailsToSend": "all"}
        if secret:
            inputs |= {
                "basicAuthUsername": str(values.get("username") or "concord"),
                "basicAuthPassword": secret,
                "httpHeaders": f"{values.get('header') or _HEADER}: {secret}",
            }
        ids = [self._subscribe(kind, inputs) for kind in chosen] if url else []
        self._hooks_to = {"url": url, "secret": secret, "events": chosen if url else [], "ids": ids}
        return {**self.hook_settings(), "secret": secret}

    def _subscribe(self, kind: str, inputs: Mapping[str, str]) -> str:
        at = int(self.clock.now().timestamp() * 1000)
        organization = self.organization
        one = Subscription(
            organization.next_guid("subscription"),
            kind,
            "1.0",
            {"projectId": organization.project_id},
            dict(inputs),
            organization.api_user,
            at,
            at,
        )
        organization.subscriptions[one.id] = one
        return one.id

    # --- The control API ---

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        return Actor(self.organization, self.clock.now(), self._tell).act(action)

    def contents(self, page: Page) -> dict[str, Any]:
        after = int(page.after) if page.after.isdigit() else 0
        since = datetime.fromisoformat(page.since).timestamp() if page.since else 0
        every = [one for one in self.organization.items.values() if not one.is_deleted]
        fitting = [
            one
            for one in every
            if one.id > after and one.touched >= since and (not page.ids or str(one.id) in page.ids)
        ]
        told = sorted(fitting, key=lambda one: one.id)[: page.limit]
        return {
            "tickets": [contents.item_content(self.organization, one) for one in told],
            "total": len(every),
            "after": str(told[-1].id) if len(fitting) > len(told) else None,
        }

    def settings_value(self) -> dict[str, Any]:
        return asdict(self.organization.settings)

    def change_settings(self, values: Mapping[str, Any]) -> None:
        before = self.organization.settings
        settings = changed_settings(before, values)
        if settings.process not in PROCESSES:
            raise Refusal(f"There is no process {settings.process!r}; there are {', '.join(PROCESSES)}.")
        if settings.wrong_sign_in not in ("203", "302", "401"):
            raise Refusal("wrong_sign_in is 203, 302 or 401.")
        if unknown := sorted(set(settings.denied) - set(RIGHTS)):
            raise Refusal(f"There is no right {unknown[0]!r}; there are {', '.join(RIGHTS)}.")
        self._first_settings = settings
        self.hooks.rule = RetryRule(events.tries_again, tuple(settings.retry_delays_s), events.TIMEOUT_S)
        if settings.process != before.process and self.organization.items:
            raise Refusal("The process can only be changed while there are no work items.")
        self.organization.take(settings)

    def sign_in(self) -> dict[str, str]:
        settings = self.organization.settings
        return {
            "url": View(self.organization, self.origin).base,
            "email": settings.email,
            "token": settings.token,
            "project": settings.project,
        }

    # --- The operator's pages ---

    def rows(self, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
        return contents.rows(self.organization, words, offset, limit)

    def history(self, ticket_id: str) -> Sequence[Entry]:
        return contents.history(self.organization, self._item(ticket_id))

    def _item(self, ticket_id: str) -> WorkItem:
        return self.organization.items[int(ticket_id)]

    def choices(self, ticket_id: str = "") -> Sequence[Choice]:
        return contents.choices(self.organization, ticket_id)

    def find_id(self, key: str) -> str | None:
        return key if key.isdigit() and int(key) in self.organization.items else None


def _version(found: Match, request: Request) -> str:
    """The API version that is asked for, in the query or in Accept; Wrong when it cannot be had."""
    accepted = _ACCEPTED_VERSION.search(request.headers.get("accept", ""))
    wanted = request.one("api-version") or (accepted[1] if accepted else "")
    if not wanted:
        raise errors.no_version(request.method)
    match = _VERSION.match(wanted)
    if match is None or not (1, 0) <= (int(match[1]), int(match[2])) <= (7, 2):
        raise errors.version_out_of_range(wanted)
    is_preview = found.pattern.startswith(_PREVIEWS) or (int(match[1]), int(match[2])) == (7, 2)
    if is_preview and not match[3]:
        raise errors.preview_only(wanted)
    return wanted
