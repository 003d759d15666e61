"""A new text written into a system's own markup: parts that say the same already stay as they are.  Pure, never raises.

Our model holds less than any vendor's markup: writing a whole text anew would flatten colours, mentions, cards and
layouts for the sake of one edited paragraph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from integrations.richtext.alignment import matches
from integrations.richtext.blocks import Block

Part = TypeVar("Part")


def patched(
    own: Sequence[Part], said: Sequence[tuple[Block, ...]], wanted: tuple[Block, ...], written: Sequence[Part]
) -> list[Part]:
    """The parts that say `wanted`, made of the system's `own` as far as they fit.

    `said` are the blocks that each of the own parts reads as, `written` is one new part for every wanted block.
    """
    kept = dict(_kept(said, wanted))
    found: list[Part] = []
    at = 0
    for number, part in enumerate(own):
        if number in kept:
            # What stands before it in the new text first.
            found += written[at : kept[number]]
            found.append(part)
            at = kept[number] + len(said[number])
        elif not said[number] and (number == 0 or found[-1:] == list(own[number - 1 : number])):
            # An empty line or a macro without words belongs to what stands before it.
            found.append(part)
    return [*found, *written[at:]]


def _kept(said: Sequence[tuple[Block, ...]], wanted: tuple[Block, ...]) -> Iterator[tuple[int, int]]:
    """The parts of which every block is wanted, side by side, and where the first of them stands in the new text."""
    blocks = [block for one in said for block in one]
    place = dict(matches(blocks, wanted))
    first = 0
    for number, one in enumerate(said):
        start = place.get(first)
        if one and start is not None and all(place.get(first + n) == start + n for n in range(len(one))):
            yield number, start
        first += len(one)
