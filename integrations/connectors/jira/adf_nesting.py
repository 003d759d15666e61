"""What ADF lets stand inside what: puts a document into the form that ADF can hold, keeping its words.  Pure.

ADF's schema (https://go.atlassian.com/adf-json-schema) forbids, for example, a table in a list item or a heading in a
quote.  Such a block is opened up: a heading becomes a bold paragraph, a table one paragraph a row, a box its content.
A document that is already in this form comes out unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum

from integrations.richtext.blocks import (
    MAX_DEPTH,
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    File,
    Heading,
    Inline,
    Item,
    LineBreak,
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
    join_runs,
    paragraph,
)

PANEL_KINDS = ("info", "note", "warning", "success", "error")
# A link to anything else is either meaningless in another company (a path) or dangerous (a script).
_SAFE_LINK = re.compile(r"(?i)(?:https?://|mailto:|tel:|ftps?://)[^\s]")
# A null byte no store takes, and a lone surrogate cannot even be sent.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class Place(Enum):
    """What a block stands in."""

    DOCUMENT = "document"
    EXPAND = "expand"
    NESTED_EXPAND = "nested expand"
    CELL = "cell"
    PANEL = "panel"
    QUOTE = "quote"
    ITEM = "item"


_EVERYWHERE = (Paragraph, BulletList, OrderedList, CodeBlock, File)
_ALLOWED: dict[Place, tuple[type, ...]] = {
    Place.DOCUMENT: (*_EVERYWHERE, Heading, Rule, Quote, Panel, Table),
    Place.EXPAND: (*_EVERYWHERE, Heading, Rule, Quote, Panel, Table),
    Place.NESTED_EXPAND: (*_EVERYWHERE, Heading, Rule, Quote, Panel),
    Place.CELL: (*_EVERYWHERE, Heading, Rule, Quote, Panel),
    Place.PANEL: (*_EVERYWHERE, Heading, Rule),
    Place.QUOTE: _EVERYWHERE,
    Place.ITEM: _EVERYWHERE,
}
_MAY_EXPAND = (Place.DOCUMENT, Place.EXPAND, Place.CELL)


def nested(document: Document) -> Document:
    """The document as ADF can hold it; its words are kept, its losses too.  Idempotent."""
    return Document(tuple(_blocks(document.blocks, Place.DOCUMENT, 0)), document.losses)


def clean_text(text: str) -> str:
    """Text without characters that Jira cannot store, with plain newlines."""
    return _UNUSABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def inlines(found: Iterable[Inline]) -> tuple[Inline, ...]:
    """Inline text as ADF can hold it: newlines are breaks, `code` stands alone or with a link, links are safe."""
    return join_runs(part for inline in found for part in _inline(inline))


def _inline(inline: Inline) -> Iterator[Inline]:
    match inline:
        case Run(text=text, marks=marks, href=href):
            kept, link = _marks(marks, href)
            for number, line in enumerate(clean_text(text).split("\n")):
                if number:
                    yield LineBreak()
                yield Run(line, kept, link)
        case Mention(name=name):
            yield Mention(_one_line(name) or "somebody")
        case LineBreak():
            yield inline


def _marks(marks: tuple[str, ...], href: str) -> tuple[tuple[str, ...], str]:
    kept = set(marks)
    link = clean_text(href).strip() if "link" in kept else ""
    if not _SAFE_LINK.match(link):
        kept.discard("link")
        link = ""
    if "code" in kept:
        kept &= {"code", "link"}
    if "sub" in kept:
        kept.discard("sup")
    return tuple(sorted(kept)), link


def _blocks(blocks: Iterable[Block], place: Place, depth: int) -> Iterator[Block]:
    for block in blocks:
        yield from _block(block, place, depth)


def _block(block: Block, place: Place, depth: int) -> Iterator[Block]:
    match block:
        case Paragraph(inlines=found):
            yield from _some(paragraph(inlines(found)))
        case File(name=name):
            yield File(_one_line(name) or "file")
        case CodeBlock(text=text, language=language):
            if text := clean_text(text):
                yield CodeBlock(text, clean_text(language).strip())
        case Rule():
            if Rule in _ALLOWED[place]:
                yield block
        case Heading(level=level, inlines=found):
            found = inlines(found)
            if found and Heading in _ALLOWED[place]:
                yield Heading(min(max(level, 1), 6), found)
            else:
                yield from _some(paragraph(_bold(found)))
        case _ if depth >= MAX_DEPTH:
            yield from _some(paragraph(inlines(flat_inlines([block]))))
        case BulletList(items=items):
            # A quote holds no tasks.
            yield from _lists(tuple(map(_ticked, items)) if place is Place.QUOTE else items, depth)
        case OrderedList(items=items, start=start):
            if items:
                numbered = tuple(_item(_ticked(item).blocks, depth) for item in items)
                yield OrderedList(numbered, max(start, 0))
        case _:
            yield from _box(block, place, depth)


def _box(block: Block, place: Place, depth: int) -> Iterator[Block]:
    """A quote, panel or table: as it is where ADF allows it, else opened up."""
    match block:
        case Panel(blocks=inner, title=title) if title := _one_line(title):
            if place in _MAY_EXPAND:
                within = Place.EXPAND if place is Place.DOCUMENT else Place.NESTED_EXPAND
                # An expand has no colour, so its kind is always the same.
                yield Panel("info", tuple(_blocks(inner, within, depth + 1)), title)
            else:
                yield from _some(paragraph(_bold((Run(title),))))
                yield from _blocks(inner, place, depth + 1)
        case Panel(kind=kind, blocks=inner):
            if Panel in _ALLOWED[place]:
                if held := tuple(_blocks(inner, Place.PANEL, depth + 1)):
                    yield Panel(kind if kind in PANEL_KINDS else "info", held)
            else:
                yield from _blocks(inner, place, depth + 1)
        case Quote(blocks=inner):
            if Quote in _ALLOWED[place]:
                if held := tuple(_blocks(inner, Place.QUOTE, depth + 1)):
                    yield Quote(held)
            else:
                yield from _blocks(inner, place, depth + 1)
        case Table(rows=rows):
            if Table in _ALLOWED[place]:
                held_rows = tuple(
                    tuple(Cell(tuple(_blocks(c.blocks, Place.CELL, depth + 1)), c.is_header) for c in row)
                    for row in rows
                    if row
                )
                if held_rows:
                    yield Table(held_rows)
            else:
                for row in rows:
                    yield from _some(paragraph(inlines(_row_inlines(row))))


def _lists(items: tuple[Item, ...], depth: int) -> Iterator[Block]:
    """ADF keeps tasks and ordinary items in lists of different kinds, so a mixed list becomes several."""
    group: list[Item] = []
    for item in items:
        held = _item(item.blocks, depth) if item.is_done is None else _task(item, depth)
        if group and (group[-1].is_done is None) != (held.is_done is None):
            yield BulletList(tuple(group))
            group = []
        group.append(held)
    if group:
        yield BulletList(tuple(group))


def _item(blocks: tuple[Block, ...], depth: int) -> Item:
    return Item(tuple(_blocks(blocks, Place.ITEM, depth + 1)))


def _ticked(item: Item) -> Item:
    """A task as an ordinary item, its box drawn as a character."""
    if item.is_done is None:
        return item
    box = Run("☑ " if item.is_done else "☐ ")
    first = item.blocks[0] if item.blocks else None
    if isinstance(first, Paragraph):
        return Item((Paragraph((box, *first.inlines)), *item.blocks[1:]))
    return Item((Paragraph((box,)), *item.blocks))


def _task(item: Item, depth: int) -> Item:
    """A task holds one paragraph, and after it one list of tasks below it; everything else joins the paragraph."""
    below = item.blocks[-1] if item.blocks else None
    is_list = (
        isinstance(below, BulletList)
        and bool(below.items)
        and all(one.is_done is not None for one in below.items)
        and depth + 1 < MAX_DEPTH
    )
    words = item.blocks[:-1] if is_list else item.blocks
    held: list[Block] = []
    if (first := paragraph(inlines(flat_inlines(words)))) is not None:
        held.append(first)
    if is_list and isinstance(below, BulletList):
        held += _block(below, Place.ITEM, depth + 1)
    return Item(tuple(held), item.is_done)


def _row_inlines(row: tuple[Cell, ...]) -> Iterator[Inline]:
    for number, cell in enumerate(row):
        if number:
            yield Run(" | ")
        yield from flat_inlines(cell.blocks)


def flat_inlines(blocks: Iterable[Block]) -> Iterator[Inline]:
    """All the words of these blocks as inline text, a break between blocks.  Iterative: any depth, linear."""
    stack: list[Block | Inline] = list(reversed(list(blocks)))
    is_first = True
    while stack:
        part = stack.pop()
        if isinstance(part, Run | LineBreak | Mention):
            yield part
            continue
        found, inner = _opened(part)
        if found:
            if not is_first:
                yield LineBreak()
            is_first = False
            yield from found
        stack.extend(reversed(inner))


def _opened(block: Block) -> tuple[tuple[Inline, ...], list[Block]]:
    """A block's own words, and the blocks inside it."""
    match block:
        case Paragraph(inlines=found) | Heading(inlines=found):
            return found, []
        case CodeBlock(text=text):
            return (Run(text, ("code",)),), []
        case File(name=name):
            return (Run(f"[{_one_line(name) or 'file'}]"),), []
        case BulletList(items=items) | OrderedList(items=items):
            return (), [inner for item in items for inner in item.blocks]
        case Quote(blocks=inner):
            return (), list(inner)
        case Panel(blocks=inner, title=title):
            return ((Run(title),) if title else ()), list(inner)
        case Table(rows=rows):
            return (), [inner for row in rows for cell in row for inner in cell.blocks]
        case _:
            return (), []


def _bold(found: Iterable[Inline]) -> Iterator[Inline]:
    for inline in found:
        if isinstance(inline, Run) and "code" not in inline.marks:
            inline = Run(inline.text, tuple(sorted({*inline.marks, "bold"})), inline.href)
        yield inline


def _some(block: Block | None) -> Iterator[Block]:
    if block is not None:
        yield block
