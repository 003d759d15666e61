"""Jira's search: pages of a result that was found once, by token.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
"""

from __future__ import annotations

import base64
import itertools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.jira import jql
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong, removed
from integrations.sandbox.jira.screens import issue_with_steps
from integrations.sandbox.jira.state import Issue
from integrations.sandbox.wire import Response, json_response

DEFAULT_PAGE = 50
MAX_PAGE = 5000
# With more than an id Jira returns fewer at a time, whatever was asked for.
MAX_PAGE_WITH_FIELDS = 100
MAX_RECONCILED = 50
TOKEN_S = 7 * 24 * 3600
MAX_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search asks for, by query or by body."""

    jql: str
    fields: list[str]
    size: int
    token: str
    expand: list[str]
    properties: list[str]
    reconcile: list[int]


class Results:
    """Results that still have pages to give."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, str, list[int]]] = OrderedDict()
        self._numbers = itertools.count(1)

    def keep(self, query: str, ids: list[int], now: float) -> str:
        """Remember the rest of a result; the token to ask for it."""
        token = base64.urlsafe_b64encode(f"page-{next(self._numbers)}".encode()).decode()
        self._kept[token] = (now + TOKEN_S, query, ids)
        while len(self._kept) > MAX_TOKENS:
            self._kept.popitem(last=False)
        return token

    def get(self, token: str, query: str, now: float) -> list[int]:
        """The rest that was remembered; Wrong when the token is not of this query or too old."""
        until, known, ids = self._kept.get(token, (0.0, "", []))
        if until < now or known != query:
            raise Wrong("The provided next page token is invalid or has expired.")
        return ids


class Search:
    """The search endpoints of one site."""

    def __init__(self) -> None:
        self._results = Results()

    def by_query(self, call: Call) -> Response:
        """GET /search/jql"""
        ids = [int(one) for one in call.listed("reconcileIssues") if one.isdigit()]
        return self._answer(
            call,
            Wanted(
                call.request.one("jql"),
                call.listed("fields"),
                call.request.number("maxResults", DEFAULT_PAGE),
                call.request.one("nextPageToken"),
                call.listed("expand"),
                call.listed("properties"),
                ids,
            ),
        )

    def by_body(self, call: Call) -> Response:
        """POST /search/jql"""
        body = call.body()
        known = {"jql", "fields", "maxResults", "nextPageToken", "expand", "properties", "reconcileIssues"}
        if unknown := set(body) - known - {"fieldsByKeys", "failFast"}:
            raise Wrong(f"Invalid request payload: unknown field '{sorted(unknown)[0]}'.")
        return self._answer(
            call,
            Wanted(
                str(body.get("jql") or ""),
                [str(one) for one in body.get("fields") or []],
                int(body.get("maxResults") or DEFAULT_PAGE),
                str(body.get("nextPageToken") or ""),
                [one for one in str(body.get("expand") or "").split(",") if one],
                [str(one) for one in body.get("properties") or []],
                [int(one) for one in body.get("reconcileIssues") or []],
            ),
        )

    def _answer(self, call: Call, wanted: Wanted) -> Response:
        if len(wanted.reconcile) > MAX_RECONCILED:
            raise Wrong(f"At most {MAX_RECONCILED} issues can be reconciled.")
        if len(wanted.properties) > 5:
            raise Wrong("At most 5 properties can be asked for.")
        now = call.now.timestamp()
        if wanted.token:
            ids = self._results.get(wanted.token, wanted.jql, now)
        else:
            call.site.index.catch_up(now, wanted.reconcile)
            ids = [one.id for one in jql.find(call.site, jql.parse(call.site, wanted.jql, call.now))]
        bare = not wanted.fields or wanted.fields == ["id"]
        size = max(1, min(wanted.size, MAX_PAGE if bare else MAX_PAGE_WITH_FIELDS))
        chosen = [one for id_ in ids[:size] if (one := call.site.issue(str(id_))) is not None]
        value: dict[str, Any] = {
            "issues": [{"id": str(one.id)} if bare else self._issue(call, one, wanted) for one in chosen],
            "isLast": len(ids) <= size,
        }
        if len(ids) > size:
            value["nextPageToken"] = self._results.keep(wanted.jql, ids[size:], now)
        return json_response(value)

    def _issue(self, call: Call, issue: Issue, wanted: Wanted) -> dict[str, Any]:
        names = [name for name in wanted.fields if name not in ("id", "key")]
        value = issue_with_steps(call.view, issue, names, wanted.expand)
        if wanted.properties:
            kept = issue.properties
            value["properties"] = {name: kept[name] for name in wanted.properties if name in kept}
        return value

    def count(self, call: Call) -> Response:
        """POST /search/approximate-count"""
        call.site.index.catch_up(call.now.timestamp())
        query = jql.parse(call.site, str(call.body().get("jql") or ""), call.now)
        return json_response({"count": len(jql.find(call.site, query))})

    def gone(self, call: Call) -> Response:
        """GET and POST /search: removed."""
        return removed()

    @property
    def routes(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("GET", "/search/jql", self.by_query),
            ("POST", "/search/jql", self.by_body),
            ("POST", "/search/approximate-count", self.count),
            ("GET", "/search", self.gone),
            ("POST", "/search", self.gone),
        )
