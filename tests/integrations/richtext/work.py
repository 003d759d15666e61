"""Work counted instead of timed: how many calls of Python and C functions something makes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def calls_made(do: Callable[[], object]) -> int:
    """The calls that `do` makes, always the same for the same input."""
    count = 0

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count


def grows_with_size(do: Callable[[int], Callable[[], object]], size: int, factor: int = 4) -> bool:
    """Whether `factor` times the size costs no more than about `factor` times the work.

    `do` makes the input of a size, uncounted, and gives what is to be counted.  A square would cost `factor` times too
    much; a quarter more is left for what grows with the logarithm.
    """
    small, large = calls_made(do(size)), calls_made(do(size * factor))
    return large <= 1.25 * factor * small
