"""Value maps as drawings: sources on the left, targets on the right, a wire for each pair.  Pure geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 360
ROW = 40
TOP = 26
LEFT_DOT, RIGHT_DOT = 112, 248
LONGEST_LABEL = 17


@dataclass(frozen=True, slots=True)
class Knot:
    """A value with its place.  `is_loose`: no wire reaches it.  `full` is the whole label, `label` what fits."""

    label: str
    full: str
    y: int
    is_loose: bool


@dataclass(frozen=True, slots=True)
class Wire:
    """One pair as a path, and in words for its tooltip."""

    path: str
    words: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that the template draws.  Positions are in the drawing's own units."""

    width: int
    height: int
    left_dot: int
    right_dot: int
    sources: tuple[Knot, ...]
    targets: tuple[Knot, ...]
    wires: tuple[Wire, ...]


def draw(values: Mapping[str, str], sources: Sequence[str], targets: Sequence[str]) -> Drawing:
    """A value map drawn.  `sources` and `targets` are all values that exist, in their order; more may be in the map."""
    lefts = list(dict.fromkeys([*sources, *values]))
    # Targets stand in the order in which the sources reach them, so that few wires cross; the rest follow.
    reached = [values[source] for source in lefts if source in values]
    rights = list(dict.fromkeys([*reached, *targets]))
    used = set(values.values())
    left_y = {value: TOP + ROW * place for place, value in enumerate(lefts)}
    right_y = {value: TOP + ROW * place for place, value in enumerate(rights)}
    return Drawing(
        width=WIDTH,
        height=ROW * max(len(lefts), len(rights), 1) + 12,
        left_dot=LEFT_DOT,
        right_dot=RIGHT_DOT,
        sources=tuple(_knot(value, y, value not in values) for value, y in left_y.items()),
        targets=tuple(_knot(value, y, value not in used) for value, y in right_y.items()),
        wires=tuple(
            Wire(_path(left_y[source], right_y[target]), f"{source or '(empty)'} → {target}")
            for source, target in values.items()
        ),
    )


def _knot(value: str, y: int, is_loose: bool) -> Knot:
    full = value or "(empty)"
    label = full if len(full) <= LONGEST_LABEL else f"{full[: LONGEST_LABEL - 1]}…"
    return Knot(label, full, y, is_loose)


def _path(start: int, end: int) -> str:
    if start == end:
        return f"M{LEFT_DOT} {start}H{RIGHT_DOT}"
    middle = (LEFT_DOT + RIGHT_DOT) // 2
    return f"M{LEFT_DOT} {start}C{middle} {start} {middle} {end} {RIGHT_DOT} {end}"
