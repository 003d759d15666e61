"""Impact × urgency → priority (ITIL): derived by an agreement's own table, never typed in.  Pure.

Sources write these values in many ways ("1 - High", "high", 1, "P2"); the parsers here read all of them and answer
None where they would have to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

LEVELS = (1, 2, 3, 4)


class Priority(StrEnum):
    """How soon a ticket is to be dealt with; in the order of their ranks 1 to 4."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """1 for critical to 4 for low."""
        return list(Priority).index(self) + 1


@dataclass(frozen=True, slots=True)
class Matrix:
    """Four rows of urgency 1 to 4, each with the priorities for impact 1 to 4; 1 is the highest level."""

    rows: tuple[tuple[Priority, ...], ...]

    def __post_init__(self) -> None:
        if len(self.rows) != len(LEVELS) or any(len(row) != len(LEVELS) for row in self.rows):
            raise ValueError("A priority matrix has four rows of four priorities.")


def matrix_from(rows: object) -> Matrix:
    """A matrix from nested lists of words or numbers (`[["critical", "P1", 2, "high"], ...]`).

    ValueError names the cell that is no priority, or says that the shape is not four by four.
    """
    if not _is_rows(rows):
        raise ValueError("A priority matrix has four rows of four priorities.")
    assert isinstance(rows, Sequence)
    return Matrix(
        tuple(
            tuple(_cell(value, urgency, impact) for impact, value in enumerate(row, 1))
            for urgency, row in enumerate(rows, 1)
        )
    )


def _is_rows(rows: object) -> bool:
    return isinstance(rows, list | tuple) and all(isinstance(row, list | tuple) for row in rows)


def _cell(value: object, urgency: int, impact: int) -> Priority:
    priority = parse_priority(value)
    if priority is None:
        raise ValueError(f"“{value}” at urgency {urgency}, impact {impact} is not a priority.")
    return priority


def matrix_from_words(text: str) -> Matrix:
    """A matrix from four lines of four words; ValueError as `matrix_from`."""
    return matrix_from([line.split() for line in text.strip().splitlines()])


def priority_of(matrix: Matrix, *, impact: int, urgency: int) -> Priority:
    """The priority for an impact and an urgency, each 1 (highest) to 4; ValueError outside."""
    if impact not in LEVELS or urgency not in LEVELS:
        raise ValueError(f"Impact {impact} and urgency {urgency} must be 1 to 4.")
    return matrix.rows[urgency - 1][impact - 1]


def cells(matrix: Matrix) -> list[list[str]]:
    """The JSON form: what `matrix_from` reads back."""
    return [[priority.value for priority in row] for row in matrix.rows]


# A number that stands alone: "1", "1 - High", "P1", "Sev 2", "Level 3"; not the 10 of "10 - soon".
_NUMBER = re.compile(r"(?<![\d.])([1-4])(?![\d.])")
_WORD = re.compile(r"[a-z]+")

_LEVEL_WORDS = {
    1: {"critical", "extensive", "widespread", "highest", "urgent", "immediate"},
    2: {"high", "significant", "large", "major"},
    3: {"medium", "moderate", "normal", "limited"},
    4: {"low", "minor", "localized", "localised", "lowest", "none", "small"},
}
# Three-level scales call their first level "high"; the number in front of the word then says what is meant.
_PRIORITY_WORDS = {
    Priority.CRITICAL: {"critical", "urgent", "highest", "blocker", "emergency"},
    Priority.HIGH: {"high", "major"},
    Priority.MEDIUM: {"medium", "moderate", "normal"},
    Priority.LOW: {"low", "lowest", "minor", "trivial", "planning"},
}


def parse_level(value: object) -> int | None:
    """Impact or urgency as 1 (highest) to 4, from 1, "2", "1 - High", "high"; None where it cannot be told.

    A number decides over a word beside it: ServiceNow's "1 - High" is level 1 of its scale.
    """
    number = _number(value)
    if number is not None:
        return number
    return _only(level for level, words in _LEVEL_WORDS.items() if words & _words(value))


def parse_priority(value: object) -> Priority | None:
    """A priority from "critical", "1 - Critical", "P2", 3, "Urgent"; None where it cannot be told.

    Here a word decides over the number beside it: "2 - Critical" is a scale that begins at another number.
    """
    found = _only(priority for priority, words in _PRIORITY_WORDS.items() if words & _words(value))
    if found is not None:
        return found
    number = _number(value)
    return None if number is None else list(Priority)[number - 1]


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int):
        return value if value in LEVELS else None
    if not isinstance(value, str):
        return None
    found = set(_NUMBER.findall(value))
    return int(found.pop()) if len(found) == 1 else None


def _words(value: object) -> set[str]:
    return set(_WORD.findall(value.lower())) if isinstance(value, str) else set()


def _only(found: Iterable[T]) -> T | None:
    candidates = list(found)
    return candidates[0] if len(candidates) == 1 else None


# The reference matrix of the product (feature D1).
REFERENCE = matrix_from_words(
    """
    critical critical high   high
    critical high     high   medium
    high     medium   medium medium
    low      low      low    low
    """
)
