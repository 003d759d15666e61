"""Texts that are longer than a system takes: cut between blocks or words, with a mark that everybody sees.  Pure.

What is cut is known by its mark wherever it goes, so that it never counts as the whole text: an edit of it is carried
into the whole one (`completed`), which keeps its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile

from integrations.richtext.blocks import (
    Block,
    CodeBlock,
    Document,
    Paragraph,
    Run,
    from_plain,
    from_value,
    inline_text,
    is_document,
    join_runs,
)
from integrations.richtext.words import words_of

MARK = "… [cut: the whole text is in the attached file or in the ticket it came from]"
LINE_MARK = "… [cut]"
_MARK_BLOCK = Paragraph((Run(MARK),))

Size = Callable[[tuple[Block, ...]], int]


def fitted(document: Document, size: Size, limit: int, *, gap: int = 1) -> Document:
    """The document, or as much of it as is no larger than `limit` with the mark behind it.

    `size` measures blocks as the system counts them, `gap` is what two blocks cost more side by side than apart.
    Whole blocks stay together, unless that would waste half of the room: then the last one is cut between words.
    Linear but for that block, which is measured a few times.
    """
    if size(document.blocks) <= limit:
        return document
    blocks = tuple(block for block in document.blocks if not _is_mark(block))
    room = limit - size((_MARK_BLOCK,)) - gap
    kept, used = 0, 0
    for block in blocks:
        more = size((block,)) + gap
        if used + more > room:
            break
        used += more
        kept += 1
    part: tuple[Block, ...] = ()
    if used < room // 2 and kept < len(blocks):
        part = _beginning(blocks[kept], lambda one: size(one) + gap <= room - used)
    return Document((*blocks[:kept], *part, _MARK_BLOCK), document.losses)


def fitted_line(text: str, max_chars: int) -> str:
    """The line, or its beginning with a mark, no longer than `max_chars` (0: any length)."""
    if not max_chars or len(text) <= max_chars:
        return text
    room = max_chars - len(LINE_MARK)
    return _whole_words(text.removesuffix(LINE_MARK), room) + LINE_MARK if room > 0 else text[:max_chars]


def is_cut(value: object) -> bool:
    """Whether a field's value, or a comment's body, is the beginning of a longer one."""
    if isinstance(value, str):
        return value.endswith((LINE_MARK, MARK))
    return is_document(value) and any(_is_mark(block) for block in from_value(value).blocks)


def without_mark(document: Document) -> Document:
    """The document without the marks in it."""
    return replace(document, blocks=tuple(block for block in document.blocks if not _is_mark(block)))


def completed(base: Document, incoming: Document, whole: Document) -> tuple[Document, Document]:
    """A cut text before and after an edit, without marks; a block that was cut in its middle ends as in the whole.

    Merged into the whole one they change what was edited, and leave its end alone.
    """
    before, after = without_mark(base), without_mark(incoming)
    if not before.blocks or not after.blocks:
        return before, after
    rest = _rest_of(before.blocks[-1], whole)
    if not rest:
        return before, after
    return _continued(before, rest), _continued(after, rest)


def with_end(cut: Document, whole: Document) -> Document:
    """A cut text with the end of the whole one, from behind the last block that both have; itself where none is."""
    shown = without_mark(cut)
    places = {words_of((block,)): at for at, block in enumerate(whole.blocks)}
    for at in range(len(shown.blocks) - 1, -1, -1):
        place = places.get(words_of((shown.blocks[at],)))
        if place is not None:
            return replace(shown, blocks=(*shown.blocks[: at + 1], *whole.blocks[place + 1 :]))
    return cut


def completed_line(base: str, incoming: str, whole: str) -> str:
    """An edit of a cut line in the whole line: what it did not show stands behind what was edited."""
    shown = base.removesuffix(LINE_MARK)
    if not (base.endswith(LINE_MARK) and incoming.endswith(LINE_MARK) and whole.startswith(shown)):
        return incoming
    return incoming.removesuffix(LINE_MARK) + whole[len(shown) :]


def is_beginning(cut: Document, whole: Document) -> bool:
    """Whether the whole text begins with the words of the cut one."""
    shown = words_of(without_mark(cut).blocks)
    return words_of(whole.blocks)[: len(shown)] == shown


def _is_mark(block: Block) -> bool:
    return isinstance(block, Paragraph) and inline_text(block.inlines).strip() == MARK


def _beginning(block: Block, fits: Callable[[tuple[Block, ...]], bool]) -> tuple[Block, ...]:
    """As much of a block as fits, ending with a whole word; what has other blocks inside becomes words."""
    text = block.text if isinstance(block, CodeBlock) else Document((block,)).plain()

    def shown(count: int) -> tuple[Block, ...]:
        words = _whole_words(text, count)
        if not words:
            return ()
        return (replace(block, text=words),) if isinstance(block, CodeBlock) else from_plain(words).blocks

    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(shown(middle)):
            low = middle
        else:
            high = middle - 1
    return shown(low)


def _whole_words(text: str, count: int) -> str:
    """The first `count` characters, without the word that would be broken, unless it is all there is."""
    if count >= len(text):
        return text.rstrip()
    head = text[:count]
    broken = sum(1 for _ in takewhile(lambda sign: not sign.isspace(), reversed(head)))
    is_broken = not text[count].isspace() and broken < min(len(head), 200)
    return (head[: len(head) - broken] if is_broken else head).rstrip()


def _rest_of(block: Block, whole: Document) -> str:
    """What follows the words of a block in the block of the whole text that begins with them; "" for none."""
    shown = Document((block,)).plain()
    if not shown:
        return ""
    texts = (Document((one,)).plain() for one in whole.blocks)
    return next((one[len(shown) :] for one in texts if one.startswith(shown) and len(one) > len(shown)), "")


def _continued(document: Document, rest: str) -> Document:
    last = document.blocks[-1]
    match last:
        case Paragraph(inlines=inlines):
            last = Paragraph(join_runs((*inlines, Run(rest))))
        case CodeBlock(text=text):
            last = replace(last, text=text + rest)
    return replace(document, blocks=(*document.blocks[:-1], last))
