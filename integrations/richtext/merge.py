"""A text that was edited on one side, carried into the other side's own text: only what was edited changes.  Pure.

    base      the text as it was last carried over, in the form in which it came
    incoming  the same text as it comes now
    current   what the other side holds: the base as that system keeps it, with people, boxes and edits of its own

Between base and incoming every difference counts.  Between base and current only the words do: a box that became a
quotation on the way, or a person who became a name, is still the same part.  So a paragraph edited on one side changes
one paragraph on the other; inside boxes, lists and tables the same holds for their parts.

Where both sides edited the same part, the newer one is taken, and the other is told in `overruled`.  What one side
took away and the other edited is kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from integrations.richtext.alignment import matches, paired
from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    Heading,
    Inline,
    Item,
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Run,
    Table,
    join_runs,
)
from integrations.richtext.words import words_of


@dataclass(frozen=True, slots=True)
class Merged:
    """The other side's text with the edits in it.  `overruled` holds the edits that had to give way."""

    document: Document
    overruled: tuple[Block, ...] = ()


def merge(base: Document, incoming: Document, current: Document, *, incoming_wins: bool = True) -> Merged:
    """`current` with what changed from `base` to `incoming`.  Never raises; a base that equals `current` gives
    `incoming`, but for people that it names in plain text.
    """
    if base == incoming:
        return Merged(current)
    clashes = _Clashes(incoming_wins)
    blocks = _blocks(base.blocks, incoming.blocks, current.blocks, clashes)
    return Merged(Document(blocks, incoming.losses), tuple(clashes.overruled))


def merge_newest(base: Document, incoming: Document, current: Document, *, incoming_is_newer: bool) -> Merged:
    """The same where both sides may have edited: of the same part the newer edit stands.

    The other side merges what is edited here into what it sent.  Where the two would differ, such as in the order of
    what both added at one place, the older edit goes into the newer text on either side.
    """
    here = merge(base, incoming, current, incoming_wins=incoming_is_newer)
    if not incoming_is_newer or says_the_same(base, current):
        return here
    # Only what the other side says differently is an edit of it, not how its system shows the same.
    there = merge(base, dressed(current, base), incoming, incoming_wins=False)
    if says_the_same(here.document, there.document):
        return here
    return Merged(dressed(there.document, current), there.overruled)


def dressed(incoming: Document, current: Document) -> Document:
    """The words of `incoming`, in the other side's own blocks wherever those say the same."""
    keys = [_BLOCKS.key(block) for block in incoming.blocks], [_BLOCKS.key(block) for block in current.blocks]
    blocks = list(incoming.blocks)
    for i, c in matches(*keys):
        blocks[i] = current.blocks[c]
    return Document(tuple(blocks), incoming.losses)


def says_the_same(one: Document, other: Document) -> bool:
    """Whether two texts have the same words in the same order, whatever stands around them."""
    return words_of(one.blocks) == words_of(other.blocks)


@dataclass(slots=True)
class _Clashes:
    """Which side wins where both edited the same part, and what had to give way."""

    incoming_wins: bool
    overruled: list[Block] = field(default_factory=list)


Part = TypeVar("Part", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Part]):
    """How parts of one kind are told apart: the blocks in one, and one edited into another."""

    inside: Callable[[Part], tuple[Block, ...]]
    edit: Callable[[Part, Part, Part, _Clashes], Part]

    def key(self, part: Part) -> Hashable:
        """The same for parts that say the same; a part without words is known by what it is."""
        inside = self.inside(part)
        return words_of(inside) or tuple(type(block).__name__ for block in inside)


def _parts(
    kind: _Kind[Part],
    base: Sequence[Part],
    incoming: Sequence[Part],
    current: Sequence[Part],
    clashes: _Clashes,
) -> tuple[Part, ...]:
    if incoming == current:
        # It arrived already, or somebody over there wrote the same.
        return tuple(current)
    keys_b, keys_i, keys_c = ([kind.key(part) for part in one] for one in (base, incoming, current))
    became = dict(paired(base, incoming, matches(base, incoming), _likeness(keys_b, keys_i)))
    own = dict(paired(base, current, matches(keys_b, keys_c), _likeness(keys_b, keys_c)))
    base_of = {theirs: ours for ours, theirs in own.items()}
    # Edited over there and taken away here: what somebody wrote last is not lost.
    revived = {i for b, i in became.items() if b not in own and base[b] != incoming[i]}
    added = _added(became, own, keys_i, keys_c, revived)
    result = [incoming[i] for i in added.get(-1, ())]
    for at, part in enumerate(current):
        b = base_of.get(at)
        if b is None:
            # Their own addition.
            result.append(part)
        elif b in became and base[b] != incoming[became[b]]:
            theirs = incoming[became[b]]
            inner = _Clashes(clashes.incoming_wins)
            edited = kind.edit(base[b], theirs, part, inner)
            took_theirs = kind.key(edited) == keys_i[became[b]]
            both_edited = keys_c[at] != keys_b[b] and (took_theirs or keys_i[became[b]] != keys_b[b])
            is_overruled = both_edited and keys_i[became[b]] != keys_c[at]
            gave_way = kind.inside(part if took_theirs else theirs) if is_overruled else ()
            # Of a box that was looked into, only the parts that gave way are told.
            clashes.overruled += inner.overruled or gave_way
            result.append(edited)
        elif b in became or keys_b[b] != keys_c[at]:
            # Untouched over there; or taken away there, and edited here.
            result.append(part)
        result += [incoming[i] for i in added.get(at, ())]
    return tuple(result)


def _added(
    became: Mapping[int, int],
    own: Mapping[int, int],
    keys_i: Sequence[Hashable],
    keys_c: Sequence[Hashable],
    revived: Collection[int],
) -> dict[int, list[int]]:
    """The incoming parts that have no place of their own in the current text, by the current part they follow."""
    base_of = {theirs: ours for ours, theirs in became.items()}
    # What stands at the same place in the current text already, because this very edit arrived before.
    there: Counter[tuple[int, Hashable]] = Counter()
    known, after = set(own.values()), -1
    for at, key in enumerate(keys_c):
        if at in known:
            after = at
        else:
            there[after, key] += 1
    found: dict[int, list[int]] = {}
    after = -1
    for i, key in enumerate(keys_i):
        b = base_of.get(i)
        if b is not None and b in own:
            after = own[b]
        elif b is None or i in revived:
            if there[after, key]:
                there[after, key] -= 1
            else:
                found.setdefault(after, []).append(i)
    return found


def _likeness(left: Sequence[Hashable], right: Sequence[Hashable]) -> Callable[[int, int], float]:
    """How much of the words two parts have in common, from 0 to 1."""
    sets_left, sets_right = [_word_set(one) for one in left], [_word_set(one) for one in right]

    def likeness(i: int, j: int) -> float:
        together = len(sets_left[i] | sets_right[j])
        return len(sets_left[i] & sets_right[j]) / together if together else 0.0

    return likeness


def _word_set(key: Hashable) -> frozenset[str]:
    return frozenset(key) if isinstance(key, tuple) else frozenset()


# --- Kinds of parts ---


def _blocks(
    base: tuple[Block, ...],
    incoming: tuple[Block, ...],
    current: tuple[Block, ...],
    clashes: _Clashes,
) -> tuple[Block, ...]:
    return _parts(_BLOCKS, base, incoming, current, clashes)


def _edit_block(base: Block, incoming: Block, current: Block, clashes: _Clashes) -> Block:
    keeps = not clashes.incoming_wins and words_of((base,)) != words_of((current,))
    match base, incoming, current:
        case _ if keeps and not _is_box_thrice(base, incoming, current):
            return current
        case ((Paragraph() | Heading()), (Paragraph() | Heading()), (Paragraph() | Heading())):
            inlines = _with_people(incoming.inlines, current.inlines)
            # The same kind over there before and now: then ours keeps its own.
            return replace(current if _rank(base) == _rank(incoming) else incoming, inlines=inlines)
        case CodeBlock(), CodeBlock(), CodeBlock():
            return replace(incoming, language=_chosen(base.language, incoming.language, current.language))
        case ((Quote() | Panel()), (Quote() | Panel()), (Quote() | Panel())):
            inside = _blocks(base.blocks, incoming.blocks, current.blocks, clashes)
            return replace(current if _frame(base) == _frame(incoming) else incoming, blocks=inside)
        case ((BulletList() | OrderedList()), (BulletList() | OrderedList()), (BulletList() | OrderedList())):
            items = _parts(_ITEMS, base.items, incoming.items, current.items, clashes)
            return replace(current if _numbers(base) == _numbers(incoming) else incoming, items=items)
        case Table(), Table(), Table():
            return Table(_parts(_ROWS, base.rows, incoming.rows, current.rows, clashes))
        case _:
            return incoming


def _is_box_thrice(*blocks: Block) -> bool:
    """Whether all three hold blocks of the same kind inside, so that those are looked at one by one."""
    kinds = ((Quote, Panel), (BulletList, OrderedList), (Table,))
    return any(all(isinstance(block, kind) for block in blocks) for kind in kinds)


def _edit_item(base: Item, incoming: Item, current: Item, clashes: _Clashes) -> Item:
    inside = _blocks(base.blocks, incoming.blocks, current.blocks, clashes)
    return Item(inside, _chosen(base.is_done, incoming.is_done, current.is_done))


Row = tuple[Cell, ...]


def _edit_row(base: Row, incoming: Row, current: Row, clashes: _Clashes) -> Row:
    if not len(base) == len(incoming) == len(current):
        keeps = not clashes.incoming_wins and _ROWS.key(base) != _ROWS.key(current)
        return current if keeps else incoming
    return tuple(
        Cell(
            _blocks(was.blocks, comes.blocks, ours.blocks, clashes),
            _chosen(was.is_header, comes.is_header, ours.is_header),
        )
        for was, comes, ours in zip(base, incoming, current, strict=True)
    )


_BLOCKS: _Kind[Block] = _Kind(lambda block: (block,), _edit_block)
_ITEMS: _Kind[Item] = _Kind(lambda item: item.blocks, _edit_item)
_ROWS: _Kind[Row] = _Kind(lambda row: tuple(block for cell in row for block in cell.blocks), _edit_row)

Value = TypeVar("Value")


def _chosen(base: Value, incoming: Value, current: Value) -> Value:
    """The incoming value if it was changed, else the one that is there."""
    return current if base == incoming else incoming


def _rank(block: Paragraph | Heading) -> int:
    return block.level if isinstance(block, Heading) else 0


def _frame(block: Quote | Panel) -> tuple[str, str]:
    return (block.kind, block.title) if isinstance(block, Panel) else ("", "")


def _numbers(block: BulletList | OrderedList) -> int | None:
    return block.start if isinstance(block, OrderedList) else None


def _with_people(incoming: tuple[Inline, ...], current: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """The incoming text with those people as people whom it names and the current text knows."""
    people = {"@" + one.name: one for one in current if isinstance(one, Mention) and one.name}
    if not people:
        return incoming
    # Of two names that begin alike the longer one.
    name = re.compile("(" + "|".join(map(re.escape, sorted(people, key=len, reverse=True))) + r")(?!\w)")
    found: list[Inline] = []
    for inline in incoming:
        if isinstance(inline, Run) and not inline.marks:
            # Every second piece is a name.
            pieces = enumerate(name.split(inline.text))
            found += [people[piece] if number % 2 else Run(piece) for number, piece in pieces]
        else:
            found.append(inline)
    return join_runs(found)
