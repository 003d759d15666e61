"""What a text lost on its way into another system, told in words.  Pure, linear.

A codec tells in `Document.losses` what it could not read.  What could not be *written* shows when the text that was
meant is compared with the text that the system holds after it: `lost(wanted, settled(wanted))`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from integrations.richtext.blocks import (
    Block,
    BulletList,
    CodeBlock,
    Document,
    File,
    Heading,
    Inline,
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
)
from integrations.richtext.words import words_of

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

WORDS = "Some words were left out."
CUT = "The text was cut, because it is longer than the system takes."
# In the order in which they are told.
_SENTENCES = {
    "tab": "Tabs became blanks.",
    "control": "Characters that cannot be seen were left out.",
    "paragraph": "Paragraphs were joined.",
    "table": "A table was taken apart.",
    "cell": "Cells of a table were joined or left out.",
    "header": "The head of a table became ordinary cells.",
    "panel": "A coloured box was opened.",
    "colour": "A coloured box has another colour.",
    "title": "The title of a box became text.",
    "quote": "A quotation became ordinary text.",
    "heading": "A heading became ordinary text.",
    "level": "A heading has another rank.",
    "list": "A list became ordinary text.",
    "numbers": "A numbered list lost its numbers.",
    "start": "A numbered list begins with another number.",
    "item": "Entries of a list were joined.",
    "box": "A task's box became a character or was left out.",
    "code": "A block of code became ordinary text.",
    "language": "The language of a block of code was left out.",
    "rule": "A dividing line was left out.",
    "file": "A file or picture inside the text became its name.",
    "mention": "People are named in plain text.",
    "link": "A link became words.",
    "bold": "Bold letters became ordinary ones.",
    "italic": "Slanted letters became ordinary ones.",
    "underline": "Underlined letters became ordinary ones.",
    "strike": "Struck out letters became ordinary ones.",
    "sub": "Lowered letters became ordinary ones.",
    "sup": "Raised letters became ordinary ones.",
    "code mark": "Words set as code became ordinary ones.",
}


def lost(wanted: Document, held: Document) -> tuple[str, ...]:
    """What of `wanted` is not in `held`, a sentence each, words first; nothing when all of it arrived.

    Both name people alike only where both keep them as people; a name in plain text is told as that.
    """
    before, after = _features(wanted.blocks), _features(held.blocks)
    told = [sentence for name, sentence in _SENTENCES.items() if _is_missing(name, before, after)]
    if not _contains(words_of(held.blocks), words_of(wanted.blocks)):
        told.insert(0, WORDS)
    return tuple(told)


Feature = tuple[str, object]


def _is_missing(name: str, before: Counter[Feature], after: Counter[Feature]) -> bool:
    """Whether fewer of this feature's values are held than were wanted."""
    return any(count > after[feature] for feature, count in before.items() if feature[0] == name)


def _contains(held: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether all wanted words are held in their order, whatever else stands between them."""
    following = iter(held)
    return all(any(one == word for one in following) for word in wanted)


def _features(blocks: Iterable[Block]) -> Counter[Feature]:
    found: Counter[Feature] = Counter()
    stack = list(blocks)
    while stack:
        stack += _note(stack.pop(), found)
    return found


def _note(block: Block, found: Counter[Feature]) -> list[Block]:
    """Count what a block shows; the blocks inside it."""
    match block:
        case Paragraph(inlines=inlines):
            found["paragraph", ""] += 1
            _note_inlines(inlines, found)
        case Heading(level=level, inlines=inlines):
            found["heading", ""] += 1
            found["level", level] += 1
            _note_inlines(inlines, found)
        case CodeBlock(text=text, language=language):
            found["code", ""] += 1
            found["control", ""] += len(_CONTROLS.findall(text))
            if language:
                found["language", language.casefold()] += 1
        case Rule():
            found["rule", ""] += 1
        case File(name=name):
            found["file", name] += 1
        case Quote(blocks=inside):
            found["quote", ""] += 1
            return list(inside)
        case Panel(kind=kind, blocks=inside, title=title):
            found["panel", ""] += 1
            # A box to unfold has a title instead of a colour.
            found[("title", title) if title else ("colour", kind)] += 1
            return list(inside)
        case BulletList(items=items) | OrderedList(items=items):
            return _note_list(block, found) + [inner for item in items for inner in item.blocks]
        case Table(rows=rows):
            found["table", ""] += 1
            cells = [cell for row in rows for cell in row]
            found["cell", ""] += len(cells)
            found["header", ""] += sum(cell.is_header for cell in cells)
            return [inner for cell in cells for inner in cell.blocks]
    return []


def _note_list(block: BulletList | OrderedList, found: Counter[Feature]) -> list[Block]:
    # One list split into several is still lists: what counts is that its entries are.
    found["list", ""] += bool(block.items)
    found["item", ""] += len(block.items)
    for item in block.items:
        if item.is_done is not None:
            found["box", item.is_done] += 1
    if isinstance(block, OrderedList):
        found["numbers", ""] += len(block.items)
        if block.start != 1:
            found["start", block.start] += 1
    return []


def _note_inlines(inlines: Iterable[Inline], found: Counter[Feature]) -> None:
    """Marks are counted in letters, so that it does not matter how the text is cut into runs."""
    for inline in inlines:
        match inline:
            case Mention(name=name):
                found["mention", name] += 1
            case Run(text=text, marks=marks, href=href):
                found["tab", ""] += text.count("\t")
                found["control", ""] += len(_CONTROLS.findall(text))
                letters = len("".join(text.split()))
                for mark in marks:
                    if mark == "link":
                        found["link", href] += letters
                    else:
                        found["code mark" if mark == "code" else mark, ""] += letters
