"""The rich-text model written as Markdown.  Pure; see `markdown` for how is written what Markdown lacks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from integrations.richtext.blocks import (
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
    inline_text,
    join_runs,
)
from integrations.richtext.html_writer import FILE_SIGN, is_link, panel_head

Read = Callable[[str], Document]

_SIGNS = {"bold": "**", "italic": "*", "strike": "~~"}
_KNOWN = ("bold", "code", "italic", "link", "strike")
# Signs that mean something anywhere, at the beginning of a line, and as a reference to a character.
_ANYWHERE = re.compile(r"[\\`*_\[\]<>~|]")
_AT_START = re.compile(r"^(?:[#+=:-]|[0-9]+(?=[.)]))", re.MULTILINE)
_ENTITY = re.compile(r"&(?=#?[0-9A-Za-z]{1,40};)")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_MAX_NUMBER = 999_999_999


def to_markdown(document: Document, read: Read) -> str:
    """The document as Markdown; `read` is the reader, asked whether a paragraph came out as it was meant."""
    return _Writer(read).text(document.blocks)


class _Writer:
    def __init__(self, read: Read) -> None:
        self._read = read

    def text(self, blocks: Sequence[Block]) -> str:
        return "\n\n".join(filter(None, self._blocks(blocks)))

    def _blocks(self, blocks: Sequence[Block]) -> Iterator[str]:
        # Two lists one after the other are one list, unless their marks differ.
        is_other = False
        before: Block | None = None
        for block in blocks:
            is_other = type(block) is type(before) and not is_other
            yield self._block(block, is_other)
            before = block

    def _block(self, block: Block, is_other: bool) -> str:
        match block:
            case Paragraph(inlines=inlines):
                return self._inlines(inlines, lambda found: Paragraph(found))
            case Heading(level=level, inlines=inlines):
                rank = min(max(level, 1), 6)
                line = _one_line(inlines)
                words = self._inlines(line, lambda found: Paragraph(found))
                # Signs at the end would be taken for the heading's own.
                return f"{'#' * rank} " + re.sub(r"(#+)$", r"\\\1", words)
            case CodeBlock(text=text, language=language):
                return _fence(text, language)
            case Rule():
                return "---"
            case File(name=name):
                return _escaped(f"{FILE_SIGN} {name}")
            case Quote(blocks=blocks):
                return _indented(self.text(blocks), "> ", "> ")
            case Panel(blocks=blocks):
                return _indented(self.text((panel_head(block), *blocks)), "> ", "> ")
            case BulletList(items=items):
                mark = "*" if is_other else "-"
                return "\n".join(self._item(item, f"{mark} ") for item in items)
            case OrderedList(items=items, start=start):
                sign = ")" if is_other else "."
                first = min(max(start, 0), _MAX_NUMBER - len(items))
                numbered = enumerate(items, first)
                return "\n".join(self._item(item, f"{number}{sign} ") for number, item in numbered)
            case Table(rows=rows):
                return self._table(rows)

    def _item(self, item: Item, mark: str) -> str:
        box = "" if item.is_done is None else "[x] " if item.is_done else "[ ] "
        words = self.text(item.blocks)
        if box and item.blocks and not isinstance(item.blocks[0], Paragraph):
            words = "\n\n" + words
        return _indented((box + words).rstrip(" ") if box else words, mark, " " * len(mark)).rstrip(" ")

    def _table(self, rows: Sequence[tuple[Cell, ...]]) -> str:
        width = max((len(row) for row in rows), default=0)
        if not width:
            return ""
        has_head = all(cell.is_header for cell in rows[0])
        lines = [self._row(rows[0] if has_head else (), width), "|" + " --- |" * width]
        lines += [self._row(row, width) for row in (rows[1:] if has_head else rows)]
        return "\n".join(lines)

    def _row(self, row: Sequence[Cell], width: int) -> str:
        cells = [self._cell(cell) for cell in row]
        return "| " + " | ".join([*cells, *[""] * (width - len(cells))]) + " |"

    def _cell(self, cell: Cell) -> str:
        if len(cell.blocks) == 1 and isinstance(only := cell.blocks[0], Paragraph):
            inlines: Sequence[Inline] = only.inlines
        else:
            inlines = (Run(Document(cell.blocks).plain()),)
        return self._inlines(_one_line(inlines), lambda found: Paragraph(found)).replace("\n", " ")

    def _inlines(self, inlines: Sequence[Inline], meant: Callable[[tuple[Inline, ...]], Block]) -> str:
        """The words with their signs, where they are read back as they are meant; else with fewer of them.

        Whether a sign counts depends on the letters around it, by rules that only a reader knows in full.
        """
        for kept in (_KNOWN, ("code", "link"), ("link",)):
            shown = join_runs(_shown(inline, kept) for inline in inlines)
            words = _marked(shown)
            if self._read(words).blocks == ((meant(shown),) if shown else ()):
                return words
        return _AT_START.sub(_start, _escaped(inline_text(inlines)))


def _one_line(inlines: Iterable[Inline]) -> tuple[Inline, ...]:
    return join_runs(
        Run(" ")
        if isinstance(inline, LineBreak)
        else Run(" ".join(inline.text.split("\n")), inline.marks, inline.href)
        if isinstance(inline, Run)
        else inline
        for inline in inlines
    )


def _shown(inline: Inline, kept: Sequence[str]) -> Inline:
    """The inline as Markdown can show it."""
    match inline:
        case Run(text=text, marks=marks, href=href):
            has_link = "link" in marks and "link" in kept and is_link(href)
            shown = tuple(mark for mark in marks if mark in kept and (mark != "link" or has_link))
            return Run(_seen(text), shown, href if has_link else "")
        case Mention(name=name):
            return Run(_seen("@" + name))
        case LineBreak():
            return inline


def _seen(text: str) -> str:
    return _UNSEEN.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _marked(inlines: Sequence[Inline]) -> str:
    parts: list[str] = []
    for href, group in itertools.groupby(
        inlines, key=lambda inline: inline.href if isinstance(inline, Run) else ""
    ):
        words = "".join(_signed(list(group)))
        # An address in angle brackets may hold anything but those.
        parts.append(f"[{words}](<{href.replace('<', '%3C').replace('>', '%3E')}>)" if href else words)
    return _AT_START.sub(_start, "".join(parts))


def _start(found: re.Match[str]) -> str:
    sign = found[0]
    return sign + "\\" if sign[0].isdigit() else "\\" + sign


def _signed(inlines: Sequence[Inline]) -> Iterator[str]:
    """The words with the signs of their marks: opened and closed between letters, never at a blank."""
    open_: list[str] = []
    blank = ""
    for inline in inlines:
        if not isinstance(inline, Run):
            yield from (_SIGNS[mark] for mark in reversed(open_))
            open_.clear()
            yield blank + "\\\n"
            blank = ""
            continue
        wanted = [mark for mark in _SIGNS if mark in inline.marks]
        core = inline.text if "code" in inline.marks else inline.text.strip(" ")
        if not core:
            blank += inline.text
            continue
        start = inline.text.index(core)
        while any(mark not in wanted for mark in open_):
            yield _SIGNS[open_.pop()]
        yield _blanks(blank + inline.text[:start])
        for mark in wanted:
            if mark not in open_:
                open_.append(mark)
                yield _SIGNS[mark]
        yield _code(core) if "code" in inline.marks else _escaped(core)
        blank = inline.text[start + len(core) :]
    yield from (_SIGNS[mark] for mark in reversed(open_))
    yield _blanks(blank)


def _blanks(text: str) -> str:
    """Blanks of which every second one is hard, so that none is swallowed."""
    return re.sub(r" (?= )", "&nbsp;", text)


def _code(text: str) -> str:
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _escaped(text: str) -> str:
    text = _ANYWHERE.sub(r"\\\g<0>", _ENTITY.sub("&amp;", _seen(text)))
    # A newline inside a text is a break; blanks at its sides would be swallowed.
    lines = [_blanks(re.sub(r"^ | $", "&nbsp;", line)).replace("\t", "&#9;") for line in text.split("\n")]
    return "\\\n".join(lines)


def _fence(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    info = re.sub(r"[\s`]+", "-", language.strip())
    return f"{fence}{info}\n{_seen(text)}\n{fence}"


def _indented(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    indented = [first + lines[0], *(others + line if line else others.rstrip() for line in lines[1:])]
    return "\n".join(indented)
