"""ServiceNow's encoded queries: `active=true^stateIN1,2^ORpriority=1^ORDERBYsys_updated_on`.

A part that cannot be understood is dropped without a word, as the vendor does: the query then finds more than was
meant, or nothing at all where the instance is set up so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from integrations.sandbox.servicenow import times
from integrations.sandbox.servicenow.state import Instance, Record
from integrations.sandbox.servicenow.tables import INTEGER, Field

# A lone ^ parts the conditions; two of them are one in a value.
_PARTS = re.compile(r"(?<!\^)\^(?!\^)")
_TERM = re.compile(
    r"([a-z][a-z0-9_.]*)"
    r"(NOT IN|NOT LIKE|NOTLIKE|DOES NOT CONTAIN|STARTSWITH|ENDSWITH|ISNOTEMPTY|ISEMPTY|EMPTYSTRING|ANYTHING"
    r"|BETWEEN|CONTAINS|LIKE|IN|ON|!=|>=|<=|=|>|<)(.*)",
    re.DOTALL,
)

Test = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: the date helpers for them, and the zone in which plain dates of a query are meant."""

    instance: Instance
    helpers: times.Helpers
    literal_zone: str


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.  `plain` is its value where an index can answer it."""

    name: str
    operator: str
    test: Test
    plain: tuple[str, ...] = ()


@dataclass(slots=True)
class Query:
    """Sets of alternatives: all clauses of one set must hold, in each of them one term.

    `broken` are the parts that were dropped.
    """

    sets: list[list[list[Term]]] = field(default_factory=lambda: [[]])
    order: list[tuple[str, bool]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def fits(self, record: Record) -> bool:
        """Whether a record is found."""
        return any(all(any(one.test(record) for one in clause) for clause in each) for each in self.sets)


def parse(text: str, table: str, reader: Reader) -> Query:
    """Read a query for a table."""
    query = Query()
    for part in _PARTS.split(text):
        if part.startswith("ORDERBYDESC"):
            _order(query, part[11:], True, table, reader)
        elif part.startswith("ORDERBY"):
            _order(query, part[7:], False, table, reader)
        elif part.startswith("GROUPBY") or part in ("", "EQ"):
            continue
        else:
            _add(query, part, table, reader)
    return query


def _order(query: Query, name: str, descending: bool, table: str, reader: Reader) -> None:
    if _definition(reader.instance, table, name) is None:
        query.broken.append(f"ORDERBY{name}")
    else:
        query.order.append((name, descending))


def _add(query: Query, part: str, table: str, reader: Reader) -> None:
    is_new_set = part.startswith("NQ") and _TERM.match(part[2:]) is not None
    is_or = part.startswith("OR") and not is_new_set
    words = part[2:] if is_new_set or is_or else part
    if is_new_set:
        query.sets.append([])
    term = _term(words, table, reader)
    if term is None:
        query.broken.append(part)
    elif is_or and query.sets[-1]:
        query.sets[-1][-1].append(term)
    else:
        query.sets[-1].append([term])


def _term(words: str, table: str, reader: Reader) -> Term | None:
    found = _TERM.fullmatch(words)
    if found is None:
        return None
    name, operator, raw = found[1], found[2], found[3].replace("^^", "^")
    definition = _definition(reader.instance, table, name)
    if definition is None or definition.is_journal:
        return None
    values = _values(operator, raw, definition, reader)
    if values is None:
        return None
    test = _test(operator, values, definition)
    if test is None:
        return None
    instance = reader.instance
    plain = values if operator in ("=", "IN") else ()
    if "." in name:
        return Term(name, operator, lambda record: test(walk(instance, record, name)))
    return Term(name, operator, lambda record: test(record.values.get(name, "")), plain)


def _definition(instance: Instance, table: str, path: str) -> Field | None:
    """The field at the end of a path such as `caller_id.email`; sys_id of anything is known."""
    *steps, last = path.split(".")
    for step in steps:
        found = instance.field(table, step)
        if found is None or found.target not in instance.tables:
            return None
        table = found.target
    return instance.field(table, last)


def walk(instance: Instance, record: Record | None, path: str) -> str:
    """The value at the end of a path; "" where it leads nowhere."""
    *steps, last = path.split(".")
    for step in steps:
        found = instance.field(record.table, step) if record is not None else None
        if record is None or found is None:
            return ""
        record = instance.record(found.target, record[step])
    return "" if record is None else record[last]


def _values(operator: str, raw: str, definition: Field, reader: Reader) -> tuple[str, ...] | None:
    """The values that a term compares with; None when one cannot be understood."""
    if operator in ("IN", "NOT IN"):
        parts = raw.split(",")
    elif operator in ("BETWEEN", "ON"):
        parts = raw.split("@")[-2:]
    else:
        parts = [raw]
    values = [_value(one, definition, reader, is_ordered=operator not in ("=", "!=")) for one in parts]
    if any(one is None for one in values):
        return None
    return tuple(one for one in values if one is not None)


def _value(text: str, definition: Field, reader: Reader, *, is_ordered: bool) -> str | None:
    if text.startswith("javascript:"):
        return reader.helpers.value(text)
    if definition.is_time and text and (is_ordered or " " in text):
        found = times.read(text, reader.literal_zone)
        # LIKE and STARTSWITH look at the text itself.
        return found if found is not None or "-" not in text else text
    return text


def _test(operator: str, values: tuple[str, ...], definition: Field) -> Callable[[str], bool] | None:
    first = values[0]
    if operator in (">", ">=", "<", "<=", "BETWEEN", "ON"):
        return _ordered(operator, values, definition)
    chosen = set(values)
    tests: dict[str, Callable[[str], bool]] = {
        "=": lambda have: have == first,
        "!=": lambda have: have != first,
        "IN": lambda have: have in chosen,
        "NOT IN": lambda have: have not in chosen,
        "LIKE": lambda have: first in have,
        "CONTAINS": lambda have: first in have,
        "NOT LIKE": lambda have: first not in have,
        "NOTLIKE": lambda have: first not in have,
        "DOES NOT CONTAIN": lambda have: first not in have,
        "STARTSWITH": lambda have: have.startswith(first),
        "ENDSWITH": lambda have: have.endswith(first),
        "ISEMPTY": lambda have: not have,
        "EMPTYSTRING": lambda have: not have,
        "ISNOTEMPTY": bool,
        "ANYTHING": lambda have: True,
    }
    return tests.get(operator)


def _ordered(operator: str, values: tuple[str, ...], definition: Field) -> Callable[[str], bool] | None:
    """Numbers are compared as numbers, all else as text; what is empty is neither more nor less."""
    key: Callable[[str], float | str] = _number if definition.type == INTEGER else str
    try:
        low, high = key(values[0]), key(values[-1])
    except ValueError:
        return None
    compare: dict[str, Callable[..., bool]] = {
        ">": lambda have: have > low,
        ">=": lambda have: have >= low,
        "<": lambda have: have < low,
        "<=": lambda have: have <= low,
        "BETWEEN": lambda have: low <= have <= high,
        "ON": lambda have: low <= have <= high,
    }
    chosen = compare[operator]

    def test(have: str) -> bool:
        try:
            return bool(have) and chosen(key(have))
        except ValueError:
            return False

    return test


def _number(text: str) -> float:
    return float(text)


def run(query: Query, table: str, reader: Reader) -> list[Record]:
    """The records that are found, in the order asked for; without one, by sys_id: nothing to build on."""
    instance = reader.instance
    if query.broken and instance.settings.invalid_query_returns_no_rows:
        return []
    found = [one for one in _candidates(query, table, instance) if query.fits(one)]
    found.sort(key=lambda one: one.id)
    for name, descending in reversed(query.order):
        found.sort(key=_sort_key(instance, table, name), reverse=descending)
    return found


def _sort_key(instance: Instance, table: str, name: str) -> Callable[[Record], float | str]:
    definition = _definition(instance, table, name)
    if definition is not None and definition.type == INTEGER:
        # What is empty comes before every number.
        return lambda record: float(walk(instance, record, name) or "-inf")
    if "." in name:
        return lambda record: walk(instance, record, name)
    return lambda record: record.values.get(name, "")


def _candidates(query: Query, table: str, instance: Instance) -> Iterable[Record]:
    """All records, or the few that an index names."""
    if len(query.sets) == 1:
        for clause in query.sets[0]:
            if len(clause) == 1 and (one := clause[0]).plain:
                if one.name == "sys_id":
                    records = (instance.record(table, id_) for id_ in one.plain)
                    return [record for record in records if record is not None]
                if instance.is_found_by(table, one.name):
                    return [
                        record for value in set(one.plain) for record in instance.by(table, one.name, value)
                    ]
    return instance.rows(table)
