"""The words of a text, whatever stands around them: for telling whether two texts say the same.  Pure, linear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from integrations.richtext.blocks import (
    Block,
    BulletList,
    CodeBlock,
    File,
    Heading,
    LineBreak,
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
)

_WORD = re.compile(r"\w+")


def words_of(blocks: Iterable[Block]) -> tuple[str, ...]:
    """All words in reading order, without regard to case, marks, boxes and signs.  Any depth."""
    return tuple(_WORD.findall("".join(_texts(blocks)).casefold()))


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    """The texts one after another, a newline between blocks.  Iterative: any depth, linear."""
    stack: list[Block] = list(reversed(list(blocks)))
    while stack:
        block = stack.pop()
        match block:
            case Paragraph(inlines=inlines) | Heading(inlines=inlines):
                for inline in inlines:
                    match inline:
                        case Run(text=text):
                            yield text
                        case Mention(name=name):
                            yield "@" + name
                        case LineBreak():
                            yield "\n"
            case CodeBlock(text=text):
                yield text
            case File(name=name):
                yield name
            case BulletList(items=items) | OrderedList(items=items):
                stack.extend(inner for item in reversed(items) for inner in reversed(item.blocks))
            case Panel(title=title, blocks=inside):
                yield title
                stack.extend(reversed(inside))
            case Quote(blocks=inside):
                stack.extend(reversed(inside))
            case Table(rows=rows):
                stack.extend(
                    inner
                    for row in reversed(rows)
                    for cell in reversed(row)
                    for inner in reversed(cell.blocks)
                )
            case Rule():
                pass
        yield "\n"
