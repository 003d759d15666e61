"""Markdown to and from the rich-text model.  Pure; never raises.

CommonMark with tables and strikethrough, as Azure DevOps and many others take it; HTML inside it is only text.  What
is read goes through `html`, so that boxes, tasks, files and limits are the same there and here.  What Markdown has no
sign for (underlined, lowered and raised letters, several paragraphs in a cell) is left out with its words kept;
`losses.lost` tells it.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    Item,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Run,
    Table,
    from_plain,
    paragraph,
)
from integrations.richtext.html import TOO_TANGLED, from_html
from integrations.richtext.markdown_writer import to_markdown as _written

__all__ = ["from_markdown", "to_markdown"]

# Beyond its own limit the parser leaves text out without a word; ours is reached long before.
_MAX_NESTING = 60
_MAX_CHARS = 1_000_000
_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": _MAX_NESTING + 20}).enable(
    ["table", "strikethrough"]
)
_TAG = re.compile(r"<[^<>]*>")
# An address that is defined and never used would vanish.
_PARSER.disable("reference")


def to_markdown(document: Document) -> str:
    """The document as Markdown.  Never raises."""
    return _written(document, from_markdown)


def from_markdown(source: object) -> Document:
    """The document that `source` shows; `losses` tells what could not be carried.  Never raises.

    A single newline is a line break, as people see it while they write.
    """
    if not isinstance(source, str) or not source.strip():
        return Document()
    source = source.encode("utf-8", "replace").decode()
    tokens = _PARSER.parse(source) if len(source) <= _MAX_CHARS else []
    if not tokens or max(token.level for token in tokens) > _MAX_NESTING:
        return Document(from_plain(source).blocks, (TOO_TANGLED,))
    shown = _PARSER.renderer.render(tokens, _PARSER.options, {})
    if not _is_whole(source, tokens, shown):
        # As for a cell beyond a table's width: the parser passes over it without a word.
        return Document(from_plain(source).blocks, (TOO_TANGLED,))
    document = from_html(shown)
    # HTML has no room for a language; the blocks of code come in the same order.
    languages = [token.info.strip() for token in tokens if token.type in ("fence", "code_block")]
    reader = _Reader(languages)
    blocks = reader.blocks(document.blocks)
    if reader.count != len(languages):
        # Some were opened because they lay too deep: whose language is whose cannot be told.
        blocks = _Reader([""] * reader.count).blocks(document.blocks)
    return Document(blocks, document.losses)


def _is_whole(source: str, tokens: Sequence[Token], shown: str) -> bool:
    """Whether every letter and digit of the source is shown, or in what is no text: an address, a number."""
    wanted = _letters([html.unescape(source)])
    words = html.unescape(_TAG.sub("", shown))
    return not wanted - _letters([words, *_besides(tokens)])


def _letters(texts: Iterable[str]) -> Counter[str]:
    return Counter(char for text in texts for char in text.casefold() if char.isalnum())


def _besides(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        yield token.info
        if token.type == "image":
            yield token.content
        for value in token.attrs.values():
            yield unquote(str(value))
            yield str(value)
        yield from _besides(token.children or ())


class _Reader:
    """Adds what HTML could not carry: languages of code, boxes of tasks, heads of tables that are none."""

    def __init__(self, languages: list[str]) -> None:
        self._languages = languages
        self.count = 0

    def blocks(self, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        return tuple(self._block(block) for block in blocks)

    def _block(self, block: Block) -> Block:
        match block:
            case CodeBlock():
                self.count += 1
                language = self._languages[self.count - 1] if self.count <= len(self._languages) else ""
                return replace(block, language=language)
            case Quote() | Panel():
                return replace(block, blocks=self.blocks(block.blocks))
            case BulletList() | OrderedList():
                return replace(block, items=tuple(self._item(item) for item in block.items))
            case Table(rows=rows):
                # A table of Markdown has a head, whether or not there is anything to write in it.
                is_headless = len(rows) > 1 and not any(cell.blocks for cell in rows[0])
                return Table(tuple(tuple(self._cell(cell) for cell in row) for row in rows[is_headless:]))
            case _:
                return block

    def _cell(self, cell: Cell) -> Cell:
        return Cell(self.blocks(cell.blocks), cell.is_header)

    def _item(self, item: Item) -> Item:
        blocks, is_done = self.blocks(item.blocks), item.is_done
        first = blocks[0] if blocks else None
        if is_done is None and isinstance(first, Paragraph) and isinstance(head := first.inlines[0], Run):
            if not head.marks and head.text[:4] in ("[ ] ", "[x] ", "[X] "):
                rest = paragraph((Run(head.text[4:]), *first.inlines[1:]))
                return Item((*((rest,) if rest else ()), *blocks[1:]), head.text[1] != " ")
            if not head.marks and head.text in ("[ ]", "[x]", "[X]") and len(first.inlines) == 1:
                return Item(blocks[1:], head.text[1] != " ")
        return Item(blocks, is_done)
