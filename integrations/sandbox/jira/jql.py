"""A subset of JQL: clauses on what a synchronisation asks for, joined by AND, OR and NOT, and ORDER BY.

https://support.atlassian.com/jira-software-cloud/docs/use-advanced-search-with-jira-query-language-jql/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from integrations.sandbox.jira.clauses import (
    ORDERS,
    Part,
    Test,
    both,
    comparison,
    either,
    key_clause,
    project_clause,
    property_clause,
    reader_of,
)
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import Issue, Site

MAX_ORDER = 7
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<property>issue\.property\[[^\]]+\](?:\.[\w.\-]+)?)
      | (?P<cf>cf\[\d+\])
      | (?P<sign>!=|!~|>=|<=|[=~<>(),])
      | (?P<word>[^\s=!~<>(),"']+)
    )""",
    re.VERBOSE,
)
_RELATIVE = re.compile(r"([+-]?\d+)([wdhm])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_DATE_FORMS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: the test, the ids it can be narrowed to (None: any), and the order."""

    test: Test
    candidates: Iterable[int] | None
    order: tuple[tuple[str, bool], ...]


@dataclass(slots=True)
class _Parser:
    site: Site
    zone: ZoneInfo
    now: datetime
    tokens: list[tuple[str, str]]
    at: int = 0
    clauses: int = 0
    order: list[tuple[str, bool]] = field(default_factory=list)

    def peek(self) -> str:
        return self.tokens[self.at][1].lower() if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise Wrong("Error in the JQL Query: The query ends unexpectedly.")
        self.at += 1
        return self.tokens[self.at - 1]

    def query(self) -> Part | None:
        part = self.either() if self.peek() not in ("", "order") else None
        if self.peek() == "order":
            self.take()
            if self.peek() != "by":
                raise _unexpected(self.peek())
            self.take()
            self.read_order()
        if self.at < len(self.tokens):
            raise _unexpected(self.peek())
        return part

    def read_order(self) -> None:
        while True:
            name = self.take()[1].lower()
            descending = self.peek() == "desc"
            if self.peek() in ("asc", "desc"):
                self.take()
            self.order.append((name, descending))
            if self.peek() != ",":
                break
            self.take()
        if len(self.order) > MAX_ORDER:
            raise Wrong("The ORDER BY clause has too many fields.")

    def either(self) -> Part:
        part = self.both()
        while self.peek() == "or":
            self.take()
            part = either(part, self.both())
        return part

    def both(self) -> Part:
        part = self.single()
        while self.peek() == "and":
            self.take()
            part = both(part, self.single())
        return part

    def single(self) -> Part:
        if self.peek() == "not":
            self.take()
            inner = self.single().test
            return Part(lambda issue: not inner(issue))
        if self.peek() == "(":
            self.take()
            part = self.either()
            if self.take()[1] != ")":
                raise _unexpected("(")
            return part
        return self.clause()

    def clause(self) -> Part:
        kind, name = self.take()
        if kind == "sign":
            raise _unexpected(name)
        self.clauses += 1
        operator = self.operator()
        values = [] if operator in ("is empty", "is not empty") else self.values(operator)
        if kind == "property":
            return property_clause(self.site, name, operator, values)
        return self.field_clause(_unquoted(name).lower(), operator, values)

    def operator(self) -> str:
        word = self.take()[1].lower()
        if word == "not" and self.peek() == "in":
            self.take()
            return "not in"
        if word == "is":
            negated = self.peek() == "not"
            if negated:
                self.take()
            if self.take()[1].lower() not in ("empty", "null"):
                raise _unexpected("is")
            return "is not empty" if negated else "is empty"
        if word not in ("=", "!=", "~", "!~", ">", "<", ">=", "<=", "in"):
            raise _unexpected(word)
        return word

    def values(self, operator: str) -> list[str]:
        if operator not in ("in", "not in"):
            return [self.value()]
        if self.take()[1] != "(":
            raise _unexpected("in")
        values = [self.value()]
        while (sign := self.take()[1]) == ",":
            values.append(self.value())
        if sign != ")":
            raise _unexpected(sign)
        return values

    def value(self) -> str:
        kind, raw = self.take()
        if kind == "sign":
            raise _unexpected(raw)
        if kind == "word" and self.peek() == "(":
            self.take()
            if self.take()[1] != ")":
                raise _unexpected(raw)
            return raw.lower() + "()"
        return _unquoted(raw)

    def field_clause(self, name: str, operator: str, values: list[str]) -> Part:
        if name in ("updated", "updateddate", "created", "createddate"):
            return self.time_clause(name, operator, values)
        if name in ("key", "issuekey", "id", "issue"):
            return key_clause(self.site, operator, values)
        if name == "project" and operator in ("=", "in"):
            return project_clause(self.site, values)
        reader = reader_of(self.site, name)
        if reader is None:
            raise Wrong(f"Field '{name}' does not exist or you do not have permission to view it.")
        wanted = [self.site.api_user.account_id if one == "currentuser()" else one for one in values]
        return Part(comparison(reader, operator, [one.lower() for one in wanted]))

    def time_clause(self, name: str, operator: str, values: list[str]) -> Part:
        at = self.time(name, values[0] if values else "")
        limit = int(at.timestamp() * 1000)
        updated = self.site.index.updated

        def read(issue: Issue) -> int:
            return updated[issue.id] if name.startswith("updated") else issue.created

        tests: dict[str, Test] = {
            ">=": lambda issue: read(issue) >= limit,
            ">": lambda issue: read(issue) > limit,
            "<=": lambda issue: read(issue) <= limit,
            "<": lambda issue: read(issue) < limit,
            "=": lambda issue: read(issue) == limit,
        }
        if operator not in tests:
            raise Wrong(f"The operator '{operator}' is not supported by the '{name}' field.")
        narrow = name.startswith("updated") and operator in (">", ">=")
        return Part(tests[operator], set(self.site.index.since(limit)) if narrow else None)

    def time(self, name: str, text: str) -> datetime:
        """A literal in the calling user's time zone, or relative to now.  Seconds are not understood."""
        if text == "now()":
            return self.now
        if match := _RELATIVE.fullmatch(text):
            return self.now + timedelta(**{_UNITS[match[2]]: int(match[1])})
        for form in _DATE_FORMS:
            try:
                return datetime.strptime(text, form).replace(tzinfo=self.zone)
            except ValueError:
                continue
        raise Wrong(
            f"Date value '{text}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )


def parse(site: Site, text: str, now: datetime) -> Query:
    """Read a query; Wrong for what Jira would not take, an unbounded query among it."""
    parser = _Parser(site, ZoneInfo(site.api_user.time_zone), now, _tokens(text))
    part = parser.query()
    if part is None or not parser.clauses:
        raise Wrong(
            "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    for name, _ in parser.order:
        if name not in ORDERS:
            raise Wrong(f"Not able to sort using field '{name}'.")
    return Query(part.test, part.candidates, tuple(parser.order))


def find(site: Site, query: Query) -> list[Issue]:
    """The issues that match, as far as the index knows them, in the query's order (else newest first)."""
    known = site.index.updated
    ids = known if query.candidates is None else query.candidates
    hidden = site.settings.hidden_issues
    found = [
        one
        for id_ in ids
        if id_ in known
        and (one := site.issues.get(id_)) is not None
        and one.key not in hidden
        and query.test(one)
    ]
    found.sort(key=lambda one: one.id, reverse=True)
    for name, descending in reversed(query.order):
        key = ORDERS[name]
        found.sort(key=lambda one, k=key: k(site, one), reverse=descending)  # type: ignore[misc]
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Wrong(
                f"Error in the JQL Query: The character '{text[at:].strip()[:1]}' is a reserved JQL character."
            )
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


def _unexpected(word: str) -> Wrong:
    return Wrong(f"Error in the JQL Query: Expecting something else at '{word}'.")


def _unquoted(raw: str) -> str:
    return re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw[:1] in "\"'" and len(raw) > 1 else raw
