"""The rich-text model written as HTML of plain elements.  Pure; see `html` for how is written what HTML lacks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

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
)

PANEL_SIGNS = {"info": "ℹ", "note": "✎", "warning": "⚠", "success": "✔", "error": "✖"}
FILE_SIGN = "📎"
OPEN_SIGN, DONE_SIGN = "☐", "☑"

LINK_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
# Some of them part words, and must go on doing so.
_PARTING = re.compile(r"[\x0b\x1c-\x1f]")


def to_html(document: Document) -> str:
    """The document as HTML of plain elements.  Never raises."""
    return "".join(_block_html(block) for block in document.blocks)


def _block_html(block: Block) -> str:
    match block:
        case Paragraph(inlines=inlines):
            return f"<p>{_inlines_html(inlines)}</p>"
        case Heading(level=level, inlines=inlines):
            return f"<h{_level(level)}>{_inlines_html(inlines)}</h{_level(level)}>"
        case CodeBlock(text=text):
            # The inner element keeps a first newline, which <pre> alone would swallow.
            return f"<pre><code>{_escaped(_PARTING.sub(' ', text.replace(chr(13), '')))}</code></pre>"
        case Rule():
            return "<hr>"
        case Quote(blocks=blocks):
            return f"<blockquote>{_blocks_html(blocks)}</blockquote>"
        case Panel():
            return f"<blockquote>{_blocks_html((panel_head(block), *block.blocks))}</blockquote>"
        case BulletList(items=items):
            return f"<ul>{_items_html(items)}</ul>"
        case OrderedList(items=items, start=start):
            attribute = f' start="{start}"' if start != 1 else ""
            return f"<ol{attribute}>{_items_html(items)}</ol>"
        case Table(rows=rows):
            return f"<table><tbody>{''.join(_row_html(row) for row in rows)}</tbody></table>"
        case File(name=name):
            return f"<p>{_inlines_html((Run(f'{FILE_SIGN} {name}'),))}</p>"


def _blocks_html(blocks: Iterable[Block]) -> str:
    return "".join(_block_html(block) for block in blocks)


def _level(level: int) -> int:
    return min(max(level, 1), 6)


def panel_head(panel: Panel) -> Paragraph:
    """The line that a box opens with where there are no boxes."""
    kind = panel.kind if panel.kind in PANEL_SIGNS else "info"
    title = " ".join(panel.title.split())
    text = f"{PANEL_SIGNS[kind]} {kind.capitalize()}" + (f": {title}" if title else "")
    return Paragraph((Run(text, ("bold",)),))


def _items_html(items: Iterable[Item]) -> str:
    return "".join(f"<li>{_flow_html(_with_box(item))}</li>" for item in items)


def _with_box(item: Item) -> Sequence[Block]:
    if item.is_done is None:
        return item.blocks
    sign = DONE_SIGN if item.is_done else OPEN_SIGN
    if item.blocks and isinstance(first := item.blocks[0], Paragraph):
        return (Paragraph((Run(sign + " "), *first.inlines)), *item.blocks[1:])
    return (Paragraph((Run(sign),)), *item.blocks)


def _row_html(row: Iterable[Cell]) -> str:
    cells = ((("th" if cell.is_header else "td"), cell) for cell in row)
    return f"<tr>{''.join(f'<{tag}>{_flow_html(cell.blocks)}</{tag}>' for tag, cell in cells)}</tr>"


def _flow_html(blocks: Sequence[Block]) -> str:
    """A single paragraph goes without its element: tight lists and tables look like people write them."""
    if len(blocks) == 1 and isinstance(only := blocks[0], Paragraph):
        return _inlines_html(only.inlines)
    return _blocks_html(blocks)


def _inlines_html(inlines: Iterable[Inline]) -> str:
    return "<br>".join("".join(_run_html(run) for run in _kept_blanks(line)) for line in _lines(inlines))


def _lines(inlines: Iterable[Inline]) -> list[list[Run]]:
    lines: list[list[Run]] = [[]]
    for inline in inlines:
        match inline:
            case LineBreak():
                lines.append([])
            case Mention(name=name):
                lines[-1].append(Run("@" + name))
            case Run(text=text):
                text = _PARTING.sub(" ", text)
                first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
                lines[-1].append(Run(first, inline.marks, inline.href))
                lines.extend([Run(other, inline.marks, inline.href)] for other in others)
    return lines


def _kept_blanks(line: list[Run]) -> list[Run]:
    """The line with those blanks made hard that HTML would swallow: at both ends, and after another blank."""
    text = "".join(run.text for run in line).replace("\t", " ").replace("\f", " ")
    text = re.sub(r"^ | $|(?<= ) ", "\xa0", text)
    runs, at = [], 0
    for run in line:
        runs.append(Run(text[at : at + len(run.text)], run.marks, run.href))
        at += len(run.text)
    return runs


_TAGS = (
    ("bold", "strong"), ("italic", "em"), ("underline", "u"), ("strike", "s"), ("sub", "sub"), ("sup", "sup"),
    ("code", "code"),
)  # fmt: skip


def _run_html(run: Run) -> str:
    text = _escaped(run.text)
    if not text:
        return ""
    for mark, tag in reversed(_TAGS):
        if mark in run.marks:
            text = f"<{tag}>{text}</{tag}>"
    if "link" in run.marks and is_link(run.href):
        text = f'<a href="{html.escape(run.href)}">{text}</a>'
    return text


def _escaped(text: str) -> str:
    return html.escape(_CONTROLS.sub("", text), quote=False).replace("\xa0", "&nbsp;")


def is_link(href: str) -> bool:
    """Whether an address may be carried: absolute, of a harmless scheme, without blanks."""
    scheme, colon, rest = href.partition(":")
    return bool(colon and rest) and scheme.lower() in LINK_SCHEMES and not re.search(r"[\s\x00-\x20]", href)
