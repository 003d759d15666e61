"""WIQL, as far as a query for work items goes: read into a tree, and held against work items.

https://learn.microsoft.com/azure/devops/boards/queries/wiql-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.schema import Field, Schema
from integrations.sandbox.azure_devops.state import Person, WorkItem
from integrations.sandbox.clock import parse_time

DAY_MS = 86_400_000
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<field>\[[^\]]+\])
    | (?P<macro>@[A-Za-z]+(?:\('[^']*'\))?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><>|<=|>=|[=<>(),+*-])
    )""",
    re.VERBOSE,
)
_WORD_OPERATORS = (
    ("NOT", "CONTAINS", "WORDS"),
    ("CONTAINS", "WORDS"),
    ("NOT", "CONTAINS"),
    ("CONTAINS",),
    ("NOT", "UNDER"),
    ("UNDER",),
    ("NOT", "IN"),
    ("IN",),
    ("IS", "NOT", "EMPTY"),
    ("IS", "EMPTY"),
    ("WAS", "EVER"),
    ("EVER",),
)

Test = Callable[[WorkItem], bool]
# A field's value of a work item as the API tells it; times are milliseconds, people are persons.
Reader = Callable[[WorkItem, Field], Any]


def wrong(message: str, near: str = "") -> Wrong:
    """400 that says what the query does not say right."""
    told = f"{message} The error is caused by «{near}»." if near else message
    return Wrong(
        told, "SyntaxException", space="Microsoft.TeamFoundation.WorkItemTracking.Client.Wiql", event=3000
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What surrounds a query: who asks, when, in which project, and how exactly times are compared."""

    schema: Schema
    person: Person
    project: str
    now: datetime
    with_time: bool
    read: Reader


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood.  `order` are fields, each with whether it goes down."""

    columns: tuple[Field, ...]
    test: Test
    order: tuple[tuple[Field, bool], ...]
    as_of: int | None


def parse(text: str, asked: Asked) -> Query:
    """Read a query; Wrong says where it is not understood."""
    return _Parser(text, asked).query()


class _Parser:
    """Goes through the tokens once, from left to right."""

    def __init__(self, text: str, asked: Asked) -> None:
        self._asked = asked
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise wrong("TF51006: The query statement could not be read.", text[at : at + 20].strip())
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        self._at = 0

    def query(self) -> Query:
        """SELECT ... FROM workitems [WHERE ...] [ORDER BY ...] [ASOF ...]"""
        if not self._word("SELECT"):
            raise wrong("TF51006: The query statement is missing a SELECT clause.", self._near())
        columns = [self._field()]
        while self._sign(","):
            columns.append(self._field())
        if not self._word("FROM"):
            raise wrong("TF51006: The query statement is missing a FROM clause.", self._near())
        if not self._word("WORKITEMS"):
            raise wrong("Only queries for work items are served here.", self._near())
        test: Test = self._either() if self._word("WHERE") else (lambda _: True)
        order: list[tuple[Field, bool]] = []
        if self._word("ORDER"):
            self._expect("BY")
            order.append(self._order())
            while self._sign(","):
                order.append(self._order())
        as_of = self._time(self._next()) if self._word("ASOF") else None
        if self._at < len(self._tokens):
            raise wrong("Expecting end of string.", self._near())
        return Query(tuple(columns), test, tuple(order), as_of)

    # --- Tokens ---

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _near(self) -> str:
        return self._peek()[1]

    def _word(self, *words: str) -> bool:
        """Take these words when they come next."""
        found = self._tokens[self._at : self._at + len(words)]
        if len(found) < len(words) or any(
            kind != "word" or text.upper() != word for (kind, text), word in zip(found, words, strict=True)
        ):
            return False
        self._at += len(words)
        return True

    def _sign(self, sign: str) -> bool:
        if self._peek() != ("sign", sign):
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._word(word):
            raise wrong(f"Expecting {word}.", self._near())

    def _field(self) -> Field:
        kind, text = self._next()
        field = self._asked.schema.find(text.strip("[]")) if kind in ("field", "word") else None
        if field is None:
            raise wrong("TF51005: The query references a field that does not exist.", text.strip("[]"))
        return field

    def _order(self) -> tuple[Field, bool]:
        field = self._field()
        if self._word("DESC"):
            return field, True
        self._word("ASC")
        return field, False

    # --- Conditions ---

    def _either(self) -> Test:
        tests = [self._both()]
        while self._word("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._word("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def _one(self) -> Test:
        if self._word("NOT"):
            inner = self._one()
            return lambda item: not inner(item)
        if self._sign("("):
            inside = self._either()
            if not self._sign(")"):
                raise wrong("Expecting closing parenthesis.", self._near())
            return inside
        field = self._field()
        return self._condition(field, self._operator())

    def _operator(self) -> str:
        for words in _WORD_OPERATORS:
            if self._word(*words):
                return " ".join(words)
        kind, text = self._next()
        if kind == "sign" and text in ("=", "<>", "<", ">", "<=", ">="):
            return text
        raise wrong("Expecting comparison operator.", text)

    def _condition(self, field: Field, operator: str) -> Test:
        read = self._asked.read
        match operator:
            case "IS EMPTY":
                return lambda item: read(item, field) in (None, "")
            case "IS NOT EMPTY":
                return lambda item: read(item, field) not in (None, "")
            case "IN" | "NOT IN":
                tests = [self._compare(field, "=", value) for value in self._list(field)]
                is_in = operator == "IN"
                return lambda item: any(test(item) for test in tests) is is_in
            case "EVER" | "WAS EVER":
                self._sign("=")
                return self._ever(field, self._value(field))
            case "CONTAINS" | "NOT CONTAINS" | "CONTAINS WORDS" | "NOT CONTAINS WORDS":
                return self._contains(field, operator)
            case "UNDER" | "NOT UNDER":
                return self._under(field, operator == "UNDER")
            case _:
                return self._compare(field, operator, self._value(field))

    def _list(self, field: Field) -> list[Any]:
        if not self._sign("("):
            raise wrong("Expecting opening parenthesis.", self._near())
        found = [self._value(field)]
        while self._sign(","):
            found.append(self._value(field))
        if not self._sign(")"):
            raise wrong("Expecting closing parenthesis.", self._near())
        return found

    def _ever(self, field: Field, value: Any) -> Test:
        wanted = _folded(value)
        return lambda item: any(_folded(one.fields.get(field.reference)) == wanted for one in item.revisions)

    def _contains(self, field: Field, operator: str) -> Test:
        words = str(self._value(field)).lower()
        read, wants = self._asked.read, not operator.startswith("NOT")
        if field.reference == "System.Tags":
            # By the beginning of a tag: whoever looks for one tag gets its longer sisters too.
            return lambda item: (
                wants
                is any(tag.startswith(words) for tag in str(read(item, field) or "").lower().split("; "))
            )
        return lambda item: (words in str(read(item, field) or "").lower()) is wants

    def _under(self, field: Field, wants: bool) -> Test:
        path = str(self._value(field)).lower()
        read = self._asked.read

        def is_under(item: WorkItem) -> bool:
            value = str(read(item, field) or "").lower()
            return (value == path or value.startswith(path + "\\")) is wants

        return is_under

    def _compare(self, field: Field, operator: str, value: Any) -> Test:
        read, with_time = self._asked.read, self._asked.with_time

        def compared(item: WorkItem) -> bool:
            present = read(item, field)
            if isinstance(value, Person) or isinstance(present, Person):
                return _same_person(present, value) is (operator == "=")
            if field.type == "dateTime" and not with_time:
                present = present // DAY_MS if present is not None else None
                return _holds(present, operator, value // DAY_MS if value is not None else None)
            return _holds(_folded(present), operator, _folded(value))

        return compared

    # --- Values ---

    def _value(self, field: Field) -> Any:
        kind, text = token = self._next()
        if field.type == "dateTime" and kind in ("text", "macro"):
            return self._time(token, field)
        if kind == "macro":
            return self._macro(text)
        if kind == "text":
            return _unquoted(text) if field.type not in ("integer", "double") else _as_number(_unquoted(text))
        if kind == "number":
            return _as_number(text)
        if kind == "sign" and text == "-" and self._peek()[0] == "number":
            return -_as_number(self._next()[1])
        if kind == "word" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in ("field", "word") and (other := self._asked.schema.find(text.strip("[]"))):
            raise wrong("Comparing a field with a field is not served here.", other.reference)
        raise wrong("Expecting a value.", text)

    def _macro(self, text: str) -> Any:
        name = text.lower()
        if name == "@me":
            return self._asked.person
        if name == "@project":
            if not self._asked.project:
                raise wrong("The @Project macro needs a project in the address.", text)
            return self._asked.project
        raise wrong("The macro is not known.", text)

    def _time(self, token: tuple[str, str], field: Field | None = None) -> int | None:
        kind, text = token
        if kind == "macro":
            return self._relative(text)
        words = _unquoted(text)
        if not words:
            return None
        try:
            at = parse_time(words)
        except ValueError as error:
            raise wrong("The date cannot be read.", words) from error
        has_time = ":" in words
        if has_time and field is not None and not self._asked.with_time:
            message = "You cannot supply a time with the date when running a query using date precision."
            raise wrong(message, f"[{field.reference}] … {text}")
        return int(at.timestamp() * 1000)

    def _relative(self, text: str) -> int:
        if text.lower() not in ("@today", "@startofday"):
            raise wrong("The macro is not known.", text)
        now = self._asked.now.astimezone(UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for sign, factor in (("-", -1), ("+", 1)):
            if self._sign(sign):
                day += timedelta(days=factor * int(float(self._next()[1] or 0)))
                break
        return int(day.timestamp() * 1000)


def _unquoted(text: str) -> str:
    mark = text[:1]
    return text[1:-1].replace(mark * 2, mark) if mark in "'\"" and mark else text


def _as_number(text: str) -> float | int:
    try:
        return float(text) if "." in text else int(text)
    except ValueError as error:
        raise wrong("The value is not a number.", text) from error


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _same_person(present: Any, value: Any) -> bool:
    if isinstance(present, Person) and isinstance(value, Person):
        return present.id == value.id
    person, words = (present, value) if isinstance(present, Person) else (value, present)
    if not isinstance(person, Person):
        return False
    return str(words or "").lower() in (person.name.lower(), person.email.lower(), person.combined.lower())


def _holds(present: Any, operator: str, value: Any) -> bool:
    if value in (None, ""):
        return (present in (None, "")) is (operator == "=")
    if present is None:
        return operator == "<>"
    try:
        match operator:
            case "=":
                return bool(present == value)
            case "<>":
                return bool(present != value)
            case "<":
                return bool(present < value)
            case ">":
                return bool(present > value)
            case "<=":
                return bool(present <= value)
            case _:
                return bool(present >= value)
    except TypeError:
        return False
