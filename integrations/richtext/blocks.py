"""The rich-text model: a document is a list of blocks, a block holds inline text.  Pure values.

Codecs (`richtext.html`, `richtext.markdown`, and ADF inside the Jira connector) translate to and from it.  A document
travels and is stored as JSON (`as_value`, `from_value`); two documents are the same text when their JSON is equal,
so constructors here keep one normal form: adjacent text with equal marks is one run, empty runs and empty
paragraphs are gone, marks are sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Nesting beyond this is flattened by the codecs: recursion stays shallow and costs stay linear.
MAX_DEPTH = 20

MARKS = ("bold", "code", "italic", "link", "strike", "sub", "sup", "underline")


@dataclass(frozen=True, slots=True)
class Run:
    """Text with equal marks.  `marks` is sorted; `href` is set when `link` is among them."""

    text: str
    marks: tuple[str, ...] = ()
    href: str = ""


@dataclass(frozen=True, slots=True)
class LineBreak:
    """A break inside a paragraph."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A person named in the text.  Only the name crosses a company border, so that no stranger is notified."""

    name: str
    id: str = ""


Inline = Run | LineBreak | Mention


@dataclass(frozen=True, slots=True)
class Paragraph:
    inlines: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    inlines: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A thematic break."""


@dataclass(frozen=True, slots=True)
class Quote:
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a list.  `is_done` is None in an ordinary list, true or false in a task list."""

    blocks: tuple[Block, ...]
    is_done: bool | None = None


@dataclass(frozen=True, slots=True)
class BulletList:
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class OrderedList:
    items: tuple[Item, ...]
    start: int = 1


@dataclass(frozen=True, slots=True)
class Panel:
    """A coloured box: `kind` is info, note, warning, success or error.  `title` is set for an expand."""

    kind: str
    blocks: tuple[Block, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    blocks: tuple[Block, ...]
    is_header: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class File:
    """A picture or file shown inside the text: its name stands for it, the bytes travel as an attachment."""

    name: str


Block = Paragraph | Heading | CodeBlock | Rule | Quote | BulletList | OrderedList | Panel | Table | File


@dataclass(frozen=True, slots=True)
class Document:
    """A text.  `losses` tells in words what the codec that made it could not carry; it is not part of equality."""

    blocks: tuple[Block, ...] = ()
    losses: tuple[str, ...] = field(default=(), compare=False)

    def as_value(self) -> dict:
        """The JSON form: `{"rich": [...]}`.  Equal texts give equal JSON."""
        return {"rich": [_block_value(block) for block in self.blocks]}

    def plain(self) -> str:
        """The text alone, blocks on lines of their own, for titles, search and systems without markup."""
        return "\n".join(line for block in self.blocks for line in _plain_lines(block)).strip()


def is_document(value: object) -> bool:
    """Whether a field value is rich text."""
    return isinstance(value, dict) and isinstance(value.get("rich"), list)


def from_value(value: object) -> Document:
    """Read a document back from its JSON form; plain text becomes paragraphs; never raises on odd input."""
    if isinstance(value, str):
        return from_plain(value)
    if not is_document(value):
        return Document()
    return Document(_blocks_from(value["rich"]))  # type: ignore[index]


def from_plain(text: str) -> Document:
    """Paragraphs where a blank line parts them, line breaks where a single newline does."""
    paragraphs = text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    return Document(tuple(block for part in paragraphs if (block := _plain_paragraph(part)) is not None))


def _plain_paragraph(text: str) -> Paragraph | None:
    inlines: list[Inline] = []
    for line in text.strip("\n").split("\n"):
        if inlines:
            inlines.append(LineBreak())
        inlines.append(Run(line))
    return paragraph(inlines)


def paragraph(inlines: Iterable[Inline]) -> Paragraph | None:
    """A paragraph in normal form, or None when nothing would be seen."""
    runs = join_runs(inlines)
    return Paragraph(runs) if runs else None


def join_runs(inlines: Iterable[Inline]) -> tuple[Inline, ...]:
    """Merge neighbours with equal marks, drop empty runs, trim breaks and blanks at both ends."""
    joined: list[Inline] = []
    for inline in inlines:
        if isinstance(inline, Run):
            if not inline.text:
                continue
            inline = Run(inline.text, tuple(sorted(set(inline.marks))), inline.href)
            last = joined[-1] if joined else None
            if isinstance(last, Run) and (last.marks, last.href) == (inline.marks, inline.href):
                joined[-1] = Run(last.text + inline.text, last.marks, last.href)
                continue
        joined.append(inline)
    return tuple(_trimmed(joined))


def _trimmed(inlines: list[Inline]) -> list[Inline]:
    seen = [at for at, inline in enumerate(inlines) if not _is_blank(inline)]
    if not seen:
        return []
    inlines = inlines[seen[0] : seen[-1] + 1]
    if isinstance(first := inlines[0], Run):
        inlines[0] = Run(first.text.lstrip(), first.marks, first.href)
    if isinstance(last := inlines[-1], Run):
        inlines[-1] = Run(last.text.rstrip(), last.marks, last.href)
    return inlines


def _is_blank(inline: Inline) -> bool:
    return isinstance(inline, LineBreak) or (isinstance(inline, Run) and not inline.text.strip())


def inline_text(inlines: Iterable[Inline]) -> str:
    """The words of inline text; a break is a newline, a mention its name."""
    parts = []
    for inline in inlines:
        match inline:
            case Run(text=text):
                parts.append(text)
            case LineBreak():
                parts.append("\n")
            case Mention(name=name):
                parts.append("@" + name)
    return "".join(parts)


def _plain_lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(inlines=inlines) | Heading(inlines=inlines):
            yield inline_text(inlines)
        case CodeBlock(text=text):
            yield text
        case Rule():
            yield "----"
        case Quote(blocks=blocks):
            yield from ("> " + line for inner in blocks for line in _plain_lines(inner))
        case BulletList(items=items):
            for item in items:
                yield from _item_lines("- ", item)
        case OrderedList(items=items, start=start):
            for number, item in enumerate(items, start):
                yield from _item_lines(f"{number}. ", item)
        case Panel(blocks=blocks, title=title):
            if title:
                yield title
            yield from (line for inner in blocks for line in _plain_lines(inner))
        case Table(rows=rows):
            for row in rows:
                yield " | ".join(
                    " ".join(line for inner in cell.blocks for line in _plain_lines(inner)) for cell in row
                )
        case File(name=name):
            yield f"[{name}]"


def _item_lines(bullet: str, item: Item) -> Iterator[str]:
    box = "" if item.is_done is None else ("[x] " if item.is_done else "[ ] ")
    lines = [line for inner in item.blocks for line in _plain_lines(inner)] or [""]
    yield bullet + box + lines[0]
    yield from (" " * len(bullet) + line for line in lines[1:])


# JSON form.  Short tags: these documents are stored once a change and compared often.


def _inline_value(inline: Inline) -> dict:
    match inline:
        case Run(text=text, marks=marks, href=href):
            value: dict = {"t": text}
            if marks:
                value["m"] = list(marks)
            if href:
                value["href"] = href
            return value
        case Mention(name=name, id=id_):
            return {"mention": name, "id": id_} if id_ else {"mention": name}
        case LineBreak():
            return {"br": True}


def _blocks_value(blocks: Iterable[Block]) -> list[dict]:
    return [_block_value(block) for block in blocks]


def _block_value(block: Block) -> dict:
    match block:
        case Paragraph(inlines=inlines):
            return {"p": [_inline_value(one) for one in inlines]}
        case Heading(level=level, inlines=inlines):
            return {"h": level, "of": [_inline_value(one) for one in inlines]}
        case CodeBlock(text=text, language=language):
            return {"code": text, "language": language}
        case Rule():
            return {"rule": True}
        case Quote(blocks=blocks):
            return {"quote": _blocks_value(blocks)}
        case BulletList(items=items):
            return {"ul": [_item_value(item) for item in items]}
        case OrderedList(items=items, start=start):
            return {"ol": [_item_value(item) for item in items], "start": start}
        case Panel(kind=kind, blocks=blocks, title=title):
            return {"panel": kind, "title": title, "of": _blocks_value(blocks)}
        case Table(rows=rows):
            return {
                "table": [
                    [{"of": _blocks_value(cell.blocks), "th": cell.is_header} for cell in row] for row in rows
                ]
            }
        case File(name=name):
            return {"file": name}


def _item_value(item: Item) -> dict:
    value: dict = {"of": _blocks_value(item.blocks)}
    if item.is_done is not None:
        value["done"] = item.is_done
    return value


# Reading back takes anything: what is no part of a document is left out.


def _dicts(values: object) -> Iterator[dict]:
    return (value for value in values if isinstance(value, dict)) if isinstance(values, list) else iter(())


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _inline_from(value: dict) -> Inline:
    if "br" in value:
        return LineBreak()
    if "mention" in value:
        return Mention(str(value["mention"]), str(value.get("id", "")))
    marks = value.get("m")
    known = tuple(mark for mark in marks if mark in MARKS) if isinstance(marks, list) else ()
    return Run(str(value.get("t", "")), known, str(value.get("href", "")))


def _inlines_from(values: object) -> tuple[Inline, ...]:
    return tuple(_inline_from(value) for value in _dicts(values))


def _blocks_from(values: object) -> tuple[Block, ...]:
    return tuple(block for value in _dicts(values) if (block := _block_from(value)) is not None)


def _items_from(values: object) -> tuple[Item, ...]:
    return tuple(
        Item(_blocks_from(value.get("of")), _done_from(value.get("done"))) for value in _dicts(values)
    )


def _done_from(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _rows_from(rows: object) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        tuple(Cell(_blocks_from(cell.get("of")), bool(cell.get("th"))) for cell in _dicts(row))
        for row in (rows if isinstance(rows, list) else ())
    )


def _block_from(value: dict) -> Block | None:
    match value:
        case {"p": inlines}:
            return Paragraph(_inlines_from(inlines))
        case {"h": level, "of": inlines}:
            return Heading(_number(level, 1), _inlines_from(inlines))
        case {"code": text}:
            return CodeBlock(str(text), str(value.get("language", "")))
        case {"quote": blocks}:
            return Quote(_blocks_from(blocks))
        case {"ul": items}:
            return BulletList(_items_from(items))
        case {"ol": items}:
            return OrderedList(_items_from(items), _number(value.get("start"), 1))
        case {"panel": kind, "of": blocks}:
            return Panel(str(kind), _blocks_from(blocks), str(value.get("title", "")))
        case {"table": rows}:
            return Table(_rows_from(rows))
        case {"file": name}:
            return File(str(name))
        case {"rule": _}:
            return Rule()
        case _:
            return None
