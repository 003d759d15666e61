"""What a mutant is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from integrations.simulation.world import Options

Patch = tuple[Any, str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mechanism switched off: what it is for, where that shows, and which invariants should be seen to break."""

    name: str
    what: str
    profile: str
    breaks: frozenset[str]
    patches: tuple[Patch, ...] = ()
    options: Options = field(default_factory=Options)

    @contextlib.contextmanager
    def switched_off(self) -> Iterator[None]:
        """Without the mechanism inside this block."""
        with contextlib.ExitStack() as stack:
            for owner, name, instead in self.patches:
                stack.enter_context(mock.patch.object(owner, name, instead))
            yield
