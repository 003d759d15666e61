"""A subset of JQL: clauses on what a synchronisation asks for, joined by AND, OR and NOT, and ORDER BY.

https://support.atlassian.com/jira-software-cloud/docs/use-advanced-search-with-jira-query-language-jql/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import ISSUE_TYPES, PROJECT_ID, RESOLUTIONS, Issue, Site

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
_PROPERTY = re.compile(r"issue\.property\[([^\]]+)\](?:\.(.+))?")

Test = Callable[[Issue], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: the test, the ids it can be narrowed to (None: any), and the order."""

    test: Test
    candidates: Iterable[int] | None
    order: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class _Part:
    test: Test
    candidates: set[int] | None = None


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

    def query(self) -> _Part | None:
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

    def either(self) -> _Part:
        part = self.both()
        while self.peek() == "or":
            self.take()
            part = _or(part, self.both())
        return part

    def both(self) -> _Part:
        part = self.single()
        while self.peek() == "and":
            self.take()
            part = _and(part, self.single())
        return part

    def single(self) -> _Part:
        if self.peek() == "not":
            self.take()
            inner = self.single().test
            return _Part(lambda issue: not inner(issue))
        if self.peek() == "(":
            self.take()
            part = self.either()
            if self.take()[1] != ")":
                raise _unexpected("(")
            return part
        return self.clause()

    def clause(self) -> _Part:
        kind, name = self.take()
        if kind == "sign":
            raise _unexpected(name)
        self.clauses += 1
        operator = self.operator()
        values = [] if operator in ("is empty", "is not empty") else self.values(operator)
        if kind == "property":
            return _property_clause(self.site, name, operator, values)
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

    def field_clause(self, name: str, operator: str, values: list[str]) -> _Part:
        if name in ("updated", "updateddate", "created", "createddate"):
            return self.time_clause(name, operator, values)
        if name in ("key", "issuekey", "id", "issue"):
            return _key_clause(self.site, operator, values)
        if name == "project" and operator in ("=", "in"):
            return self.project_clause(values)
        reader = _reader(self.site, name)
        if reader is None:
            raise Wrong(f"Field '{name}' does not exist or you do not have permission to view it.")
        wanted = [self.site.api_user.account_id if one == "currentuser()" else one for one in values]
        return _Part(_compare(reader, operator, [one.lower() for one in wanted]))

    def project_clause(self, values: list[str]) -> _Part:
        """There is one project: it holds every issue, or it is another one, which Jira says."""
        settings = self.site.settings
        names = (settings.project_key.lower(), settings.project_name.lower(), PROJECT_ID)
        for value in values:
            if value.lower() not in names:
                raise Wrong(f"The value '{value}' does not exist for the field 'project'.")
        return _Part(lambda issue: True)

    def time_clause(self, name: str, operator: str, values: list[str]) -> _Part:
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
        return _Part(tests[operator], set(self.site.index.since(limit)) if narrow else None)

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
        if name not in _ORDERS:
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
        key = _ORDERS[name]
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


def _and(one: _Part, other: _Part) -> _Part:
    sets = [part.candidates for part in (one, other) if part.candidates is not None]
    narrowed = set.intersection(*sets) if sets else None
    return _Part(lambda issue: one.test(issue) and other.test(issue), narrowed)


def _or(one: _Part, other: _Part) -> _Part:
    both = None if one.candidates is None or other.candidates is None else one.candidates | other.candidates
    return _Part(lambda issue: one.test(issue) or other.test(issue), both)


def _key_clause(site: Site, operator: str, values: list[str]) -> _Part:
    ids: set[int] = set()
    for value in values:
        issue = site.issue(value)
        if issue is None and operator in ("=", "in"):
            raise Wrong(f"An issue with key '{value}' does not exist for field 'key'.")
        if issue is not None:
            ids.add(issue.id)
    if operator in ("=", "in"):
        return _Part(lambda issue: issue.id in ids, ids)
    if operator in ("!=", "not in"):
        return _Part(lambda issue: issue.id not in ids)
    number = next(iter(ids), 0)
    if operator in (">", ">="):
        return _Part(lambda issue: issue.id > number or (operator == ">=" and issue.id == number))
    return _Part(lambda issue: issue.id < number or (operator == "<=" and issue.id == number))


def _property_clause(site: Site, name: str, operator: str, values: list[str]) -> _Part:
    match = _PROPERTY.fullmatch(name)
    assert match is not None
    if operator not in ("=", "in"):
        raise Wrong(f"The operator '{operator}' is not supported by the '{name}' field.")
    ids: set[int] = set()
    for value in values:
        ids |= site.index.with_value(_unquoted(match[1]), match[2] or "", value)
    return _Part(lambda issue: issue.id in ids, ids)


def _reader(site: Site, name: str) -> Callable[[Issue], list[str]] | None:
    """All the words a value can be called by, in lower case."""
    settings = site.settings
    priorities = {one["id"]: one["name"] for one in settings.priorities}
    readers: dict[str, Callable[[Issue], list[str | None]]] = {
        "project": lambda _: [settings.project_key, settings.project_name, PROJECT_ID],
        "status": lambda issue: [issue.status, site.status(issue.status)["id"]],
        "statuscategory": lambda issue: [_CATEGORIES[site.status(issue.status)["category"]]],
        "priority": lambda issue: [priorities.get(issue.priority_id), issue.priority_id],
        "issuetype": lambda issue: [dict(ISSUE_TYPES)[issue.type_id], issue.type_id],
        "type": lambda issue: [dict(ISSUE_TYPES)[issue.type_id], issue.type_id],
        "resolution": lambda issue: [dict(RESOLUTIONS).get(issue.resolution_id or ""), issue.resolution_id],
        "labels": lambda issue: list(issue.labels),
        "assignee": lambda issue: [issue.assignee.account_id, issue.assignee.name] if issue.assignee else [],
        "reporter": lambda issue: [issue.reporter.account_id, issue.reporter.name] if issue.reporter else [],
        "summary": lambda issue: [issue.summary],
        "description": lambda issue: [adf.text_of(issue.description)],
        "text": lambda issue: [issue.summary, adf.text_of(issue.description)],
    }
    custom = next((one for one in settings.custom_fields if _is_called(one, name)), None)
    if custom is not None:
        options = {one["id"]: one["value"] for one in custom["options"]}
        readers[name] = lambda issue: [
            issue.custom.get(custom["id"]),
            options.get(issue.custom.get(custom["id"], "")),
        ]
    read = readers.get(name)
    return None if read is None else lambda issue: [str(one).lower() for one in read(issue) if one]


_CATEGORIES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}


def _is_called(custom: dict[str, object], name: str) -> bool:
    id_ = str(custom["id"])
    return name in (id_, str(custom["name"]).lower(), f"cf[{id_.removeprefix('customfield_')}]")


def _compare(read: Callable[[Issue], list[str]], operator: str, values: list[str]) -> Test:
    tests: dict[str, Test] = {
        "=": lambda issue: any(one in values for one in read(issue)),
        "in": lambda issue: any(one in values for one in read(issue)),
        "!=": lambda issue: bool(read(issue)) and not any(one in values for one in read(issue)),
        "not in": lambda issue: bool(read(issue)) and not any(one in values for one in read(issue)),
        "~": lambda issue: any(values[0].strip("*") in one for one in read(issue)),
        "!~": lambda issue: not any(values[0].strip("*") in one for one in read(issue)),
        "is empty": lambda issue: not read(issue),
        "is not empty": lambda issue: bool(read(issue)),
    }
    if operator not in tests:
        raise Wrong(f"The operator '{operator}' is not supported by this field.")
    return tests[operator]


_ORDERS: dict[str, Callable[[Site, Issue], object]] = {
    "key": lambda _, issue: issue.id,
    "issuekey": lambda _, issue: issue.id,
    "id": lambda _, issue: issue.id,
    "created": lambda _, issue: issue.created,
    "updated": lambda site, issue: site.index.updated[issue.id],
    "priority": lambda _, issue: issue.priority_id,
    "status": lambda _, issue: issue.status,
    "summary": lambda _, issue: issue.summary,
    "rank": lambda _, issue: issue.id,
}
