"""Which handler answers a method and path: a tree of path segments, so that finding one costs the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Match:
    """A found route: `pattern` is its name for counters, `values` are the segments in braces, in their order."""

    handler: Handler
    pattern: str
    values: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    methods: dict[str, tuple[Handler, str]] = field(default_factory=dict)


class Router:
    """Routes such as `GET /tickets/{id}`.  A literal segment wins over one in braces."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Answer `method` on `pattern` with `handler`."""
        node = self._root
        for segment in pattern.strip("/").split("/"):
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literals.setdefault(segment, _Node())
        node.methods[method] = (handler, pattern)

    def find(self, method: str, segments: Sequence[str]) -> Match | set[str] | None:
        """The route, the methods allowed when only the method does not fit, or None when the path is unknown."""
        values: list[str] = []
        node = self._find(self._root, segments, 0, values)
        if node is None:
            return None
        found = node.methods.get(method)
        if found is None:
            return set(node.methods)
        return Match(found[0], found[1], tuple(values))

    def _find(self, node: _Node, segments: Sequence[str], at: int, values: list[str]) -> _Node | None:
        if at == len(segments):
            return node if node.methods else None
        segment = segments[at]
        literal = node.literals.get(segment)
        if literal is not None and (found := self._find(literal, segments, at + 1, values)) is not None:
            return found
        if node.any is None or not segment:
            return None
        values.append(segment)
        found = self._find(node.any, segments, at + 1, values)
        if found is None:
            values.pop()
        return found
