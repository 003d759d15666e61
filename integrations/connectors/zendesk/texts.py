"""Comment texts in Zendesk's HTML, both ways.  Pure.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#bodies
"""

from __future__ import annotations

import re

from integrations.richtext import cutting, html
from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    Document,
    Item,
    OrderedList,
    Panel,
    Quote,
    Table,
    from_plain,
    from_value,
)

# What is longer is cut by Zendesk at this many bytes without a word, in the middle of whatever stands there.
MAX_BYTES = 64 * 1024 - 1


def to_html(document: Document) -> str:
    """The document as `html_body`: no longer than Zendesk takes, and without placeholders that it would run."""
    return _escaped(html.to_html(fitted(document)))


def from_record(record: dict) -> Document:
    """The text of a comment record."""
    source = record.get("html_body")
    if isinstance(source, str) and source.strip():
        return html.from_html(source)
    body = record.get("plain_body") or record.get("body")
    return from_plain(body) if isinstance(body, str) else Document()


def settled(value: object) -> dict:
    """What Zendesk holds after this text was written, as a field value."""
    return html.from_html(html.to_html(fitted(from_value(value)))).as_value()


def fitted(document: Document) -> Document:
    """The document as it can be sent: lists count from one, and what is too long ends with a mark.

    One byte more for each block: braces that open in one and close in another are escaped only when they stand
    together.
    """
    counted = Document(tuple(_counted_from_one(block) for block in document.blocks), document.losses)
    return cutting.fitted(counted, _size, MAX_BYTES)


def _size(blocks: tuple[Block, ...]) -> int:
    return len(_escaped(html.to_html(Document(blocks))).encode())


_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def _escaped(text: str) -> str:
    """Zendesk runs `{{ticket.id}}` and Liquid's `{% ... %}` in a comment's text; a backslash keeps the former."""
    text = text.replace("{%", "{&#37;")
    # Beyond the last closing braces nothing is a placeholder; looking there would cost the square of the length.
    end = text.rfind("}}") + 2
    if end < 2:
        return text
    parts: list[str] = []
    at = 0
    for found in _PLACEHOLDER.finditer(text, 0, end):
        before = text[at : found.start()]
        kept = before.rstrip("\\")
        # A backslash that people wrote would be taken for ours.
        parts += [kept, "&#92;" * (len(before) - len(kept)), "\\", found[0]]
        at = found.end()
    return "".join([*parts, text[at:]])


def _counted_from_one(block: Block) -> Block:
    """Zendesk's editor drops the number a list begins with, so it is not sent either: both sides then agree."""
    match block:
        case OrderedList(items=items):
            return OrderedList(tuple(_item(item) for item in items))
        case BulletList(items=items):
            return BulletList(tuple(_item(item) for item in items))
        case Quote(blocks=blocks):
            return Quote(tuple(_counted_from_one(inner) for inner in blocks))
        case Panel(kind=kind, blocks=blocks, title=title):
            return Panel(kind, tuple(_counted_from_one(inner) for inner in blocks), title)
        case Table(rows=rows):
            return Table(tuple(tuple(_cell(cell) for cell in row) for row in rows))
        case _:
            return block


def _cell(cell: Cell) -> Cell:
    return Cell(tuple(_counted_from_one(block) for block in cell.blocks), cell.is_header)


def _item(item: Item) -> Item:
    return Item(tuple(_counted_from_one(block) for block in item.blocks), item.is_done)
