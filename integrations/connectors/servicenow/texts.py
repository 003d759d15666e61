"""Texts in ServiceNow, both ways: journal entries, long plain fields, and fields of HTML.  Pure.

A journal entry is plain text; what stands between `[code]` and `[/code]` in it is shown as HTML.  So what plain text
can say is sent as plain text, which every list, mail and telephone shows well, and only the rest as HTML.  A long
field such as the description is plain text alone: there the words are kept, lists and tables as lines, and the
address of a link behind its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from integrations.richtext import cutting, html
from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    Document,
    Heading,
    Inline,
    Item,
    LineBreak,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Run,
    Table,
    from_plain,
    from_value,
    inline_text,
)

NO_TEXT = "(no text)"
_CODE = re.compile(r"\[code\](.*?)\[/code\]", re.IGNORECASE | re.DOTALL)
_CODE_MARK = re.compile(r"\[(/?code)\]", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Where a plain paragraph would be taken for the end of another one, or lose blanks at its edges.
_BLANK_LINE = re.compile(r"\n[ \t]*\n|^\s|\s$")


def to_journal(document: Document) -> str:
    """The document as a journal entry."""
    parts: list[str] = []
    rich: list[Block] = []
    for block in document.blocks:
        text = _plain_text(block)
        if text is None:
            rich.append(block)
            continue
        if rich:
            parts.append(_coded(rich))
            rich = []
        parts.append(text)
    if rich:
        parts.append(_coded(rich))
    return "\n\n".join(parts) or NO_TEXT


def from_journal(text: str) -> Document:
    """The document that a journal entry shows."""
    blocks: list[Block] = []
    losses: list[str] = []
    for place, part in enumerate(_CODE.split(text)):
        found = html.from_html(part) if place % 2 else from_plain(_CODE_MARK.sub("", part).strip())
        blocks += found.blocks
        losses += found.losses
    return Document(tuple(blocks), tuple(dict.fromkeys(losses)))


def settled_journal(value: object) -> dict:
    """What a journal entry holds after this text was written."""
    return from_journal(to_journal(from_value(value))).as_value()


def _plain_text(block: Block) -> str | None:
    """A block in plain text, where nothing of it would be lost."""
    if not isinstance(block, Paragraph):
        return None
    if any(isinstance(one, Run) and (one.marks or one.href) for one in block.inlines):
        return None
    text = _CONTROLS.sub("", inline_text(block.inlines))
    return None if not text or _BLANK_LINE.search(text) or _CODE_MARK.search(text) else text


def _coded(blocks: Iterable[Block]) -> str:
    source = html.to_html(Document(tuple(blocks)))
    return "[code]" + _CODE_MARK.sub(r"&#91;\1]", source) + "[/code]"


def to_plain(document: Document, max_length: int = 0) -> str:
    """The document as a long plain field: paragraphs parted by blank lines, and a mark where it is cut."""
    text = _as_plain(document.blocks)
    if not max_length or len(text) <= max_length:
        return text
    if max_length < 2 * len(cutting.MARK):
        return cutting.fitted_line(" ".join(text.split()), max_length)
    return _as_plain(cutting.fitted(document, _letters, max_length, gap=2).blocks)


def _as_plain(blocks: Iterable[Block]) -> str:
    parts = (Document((with_addresses(block),)).plain() for block in blocks)
    return from_plain_text(
        _CONTROLS.sub("", "\n\n".join(part for part in parts if part)).replace("\r\n", "\n")
    )


def _letters(blocks: tuple[Block, ...]) -> int:
    return sum(len(_as_plain((block,))) + 2 for block in blocks)


def to_html(value: object, max_length: int = 0) -> str:
    """The HTML of a field that takes it, with a mark where it is cut."""
    document = from_value(value)
    if max_length:
        document = cutting.fitted(document, lambda blocks: len(html.to_html(Document(blocks))), max_length)
    return html.to_html(document)


def from_plain_text(text: str) -> str:
    """The text as reading it once leaves it: so that what is sent and what is read back are the same document."""
    read = from_plain(text)
    return "\n\n".join(inline_text(one.inlines) for one in read.blocks if isinstance(one, Paragraph))


def settled_plain(value: object, max_length: int) -> dict | None:
    """What a long plain field holds after this text was written."""
    document = from_plain(to_plain(from_value(value), max_length))
    return document.as_value() if document.blocks else None


def with_addresses(block: Block) -> Block:
    """The block with the address of each link behind its words, unless the words are the address."""
    match block:
        case Paragraph(inlines=inlines):
            return Paragraph(_addressed(inlines))
        case Heading(level=level, inlines=inlines):
            return Heading(level, _addressed(inlines))
        case Quote(blocks=blocks):
            return Quote(_all(blocks))
        case Panel(kind=kind, blocks=blocks, title=title):
            return Panel(kind, _all(blocks), title)
        case BulletList(items=items):
            return BulletList(tuple(Item(_all(item.blocks), item.is_done) for item in items))
        case OrderedList(items=items, start=start):
            return OrderedList(tuple(Item(_all(item.blocks), item.is_done) for item in items), start)
        case Table(rows=rows):
            return Table(
                tuple(tuple(Cell(_all(cell.blocks), cell.is_header) for cell in row) for row in rows)
            )
        case _:
            return block


def _all(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(with_addresses(block) for block in blocks)


def _addressed(inlines: Iterable[Inline]) -> tuple[Inline, ...]:
    found: list[Inline] = []
    for one in inlines:
        if isinstance(one, Run) and one.href and one.href.rstrip("/") != one.text.strip().rstrip("/"):
            found.append(Run(f"{one.text} ({one.href})"))
        elif isinstance(one, LineBreak | Run):
            found.append(one if isinstance(one, LineBreak) else Run(one.text))
        else:
            found.append(one)
    return tuple(found)


def one_line(value: object, max_length: int = 0) -> str:
    """A text in one line, no longer than the field; what is cut ends with a mark."""
    text = from_value(value).plain() if isinstance(value, dict) else str(value if value is not None else "")
    return cutting.fitted_line(" ".join(_CONTROLS.sub("", text).split()), max_length)
