"""Reads ADF into the neutral blocks, node by node.  Pure; never raises on any JSON; unknown nodes keep their text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from integrations.richtext.blocks import (
    MAX_DEPTH,
    Block,
    BulletList,
    Cell,
    CodeBlock,
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
    from_plain,
    paragraph,
)

# ADF's depth is two nodes (list, item) a level of ours; deeper is read as text.
_MAX_NODES_DEEP = 2 * MAX_DEPTH + 4
_MAX_COLSPAN = 50

_MARKS = {"strong": "bold", "em": "italic", "code": "code", "strike": "strike", "underline": "underline"}
_PANELS = {"note": "note", "warning": "warning", "success": "success", "error": "error", "tip": "success"}
_INLINE = frozenset(
    (
        "text",
        "hardBreak",
        "mention",
        "emoji",
        "inlineCard",
        "date",
        "status",
        "placeholder",
        "mediaInline",
        "inlineExtension",
    )
)
_PLAIN_BOXES = frozenset(("layoutSection", "layoutColumn", "bodiedSyncBlock", "mediaSingle", "mediaGroup"))


class Reader:
    """Reads one document and collects what could not be carried."""

    def __init__(self) -> None:
        # A dict keeps each loss once and in the order found.
        self._losses: dict[str, None] = {}

    def losses(self) -> tuple[str, ...]:
        """What the neutral form cannot say, in words."""
        return tuple(self._losses)

    def document(self, value: object) -> tuple[Block, ...]:
        """The blocks of an ADF document; plain text is read as text, anything else is empty."""
        if isinstance(value, str):
            return from_plain(value).blocks
        return tuple(self._blocks(_content(value), 0))

    def _lose(self, what: str) -> None:
        self._losses.setdefault(what)

    def _blocks(self, nodes: list[dict], depth: int) -> Iterator[Block]:
        if depth > _MAX_NODES_DEEP:
            self._lose("boxes nested too deeply were opened")
            yield from _some(paragraph([Run(" ".join(_words(nodes)))]))
            return
        loose: list[dict] = []
        for node in nodes:
            # Inline text where a block should be: gathered into a paragraph.
            if _type(node) in _INLINE:
                loose.append(node)
                continue
            if loose:
                yield from _some(paragraph(self._inlines(loose, depth)))
                loose = []
            yield from self._block(node, depth)
        if loose:
            yield from _some(paragraph(self._inlines(loose, depth)))

    def _block(self, node: dict, depth: int) -> Iterator[Block]:
        attrs, content = _attrs(node), _content(node)
        match _type(node):
            case "paragraph" | "caption":
                yield from self._paragraph(node, depth)
            case "heading":
                yield Heading(_number(attrs.get("level"), 1), tuple(self._inlines(content, depth)))
            case "codeBlock":
                yield CodeBlock("".join(_words(content)), _text(attrs.get("language")))
            case "rule":
                yield Rule()
            case "blockquote":
                yield Quote(tuple(self._blocks(content, depth + 1)))
            case "bulletList":
                yield BulletList(self._items(content, depth))
            case "orderedList":
                yield OrderedList(self._items(content, depth), _number(attrs.get("order"), 1))
            case "taskList":
                yield BulletList(self._tasks(content, depth))
            case "decisionList":
                self._lose("a list of decisions became an ordinary list")
                yield BulletList(self._items(content, depth))
            case "panel":
                yield Panel(
                    _PANELS.get(_text(attrs.get("panelType")), "info"),
                    tuple(self._blocks(content, depth + 1)),
                )
            case "expand" | "nestedExpand":
                inner = tuple(self._blocks(content, depth + 1))
                title = _text(attrs.get("title")).strip()
                # Without a title there is nothing to unfold by, so its content stands open.
                yield from [Panel("info", inner, title)] if title else inner
            case "table":
                yield Table(tuple(self._row(row, depth) for row in content))
            case "media":
                yield self._media(attrs)
            case "blockCard" | "embedCard":
                yield from _some(paragraph([_card(attrs)]))
            case kind if kind in _PLAIN_BOXES:
                yield from self._blocks(content, depth + 1)
            case kind:
                self._lose(f"“{kind or 'nameless'}” was reduced to its text")
                yield from _some(paragraph([Run(_text(attrs.get("text")) or _text(node.get("text")))]))
                yield from self._blocks(content, depth + 1)

    def _paragraph(self, node: dict, depth: int) -> Iterator[Block]:
        if any(_type(mark) in ("alignment", "indentation") for mark in _dicts(node.get("marks"))):
            self._lose("alignment of text")
        yield from _some(paragraph(self._inlines(_content(node), depth)))

    def _items(self, nodes: list[dict], depth: int) -> tuple[Item, ...]:
        return tuple(Item(tuple(self._blocks(_content(node) or _loose(node), depth + 1))) for node in nodes)

    def _tasks(self, nodes: list[dict], depth: int) -> tuple[Item, ...]:
        items: list[Item] = []
        for node in nodes:
            if _type(node) != "taskList":
                is_done = _attrs(node).get("state") == "DONE"
                items.append(Item(tuple(self._blocks(_content(node) or _loose(node), depth + 1)), is_done))
                continue
            # ADF puts the tasks below a task beside it.
            below = tuple(self._blocks([node], depth + 1))
            if items:
                items[-1] = Item((*items[-1].blocks, *below), items[-1].is_done)
            else:
                items += [item for block in below if isinstance(block, BulletList) for item in block.items]
        return tuple(items)

    def _row(self, row: dict, depth: int) -> tuple[Cell, ...]:
        cells: list[Cell] = []
        for node in _content(row):
            attrs = _attrs(node)
            is_header = _type(node) == "tableHeader"
            cells.append(Cell(tuple(self._blocks(_content(node), depth + 1)), is_header))
            if _number(attrs.get("rowspan"), 1) > 1:
                self._lose("cells joined over rows")
            # Empty cells keep the columns after a wide cell in their places.
            if (wide := _number(attrs.get("colspan"), 1)) > 1:
                self._lose("cells joined over columns")
                cells += [Cell((), is_header)] * (min(wide, _MAX_COLSPAN) - 1)
        return tuple(cells)

    def _media(self, attrs: dict) -> Block:
        url = _text(attrs.get("url"))
        name = _text(attrs.get("alt")).strip() or url.rsplit("/", 1)[-1]
        if _text(attrs.get("type")) == "external" and url:
            return Paragraph((Run(name or url, ("link",), url),))
        return File(name or "file")

    def _inlines(self, nodes: list[dict], depth: int) -> Iterator[Inline]:
        for node in nodes:
            attrs = _attrs(node)
            match _type(node):
                case "text":
                    yield self._run(node)
                case "hardBreak":
                    yield LineBreak()
                case "mention":
                    yield Mention(_text(attrs.get("text")).lstrip("@").strip() or "somebody")
                case "emoji":
                    yield Run(_text(attrs.get("text")) or _text(attrs.get("shortName")))
                case "inlineCard":
                    yield _card(attrs)
                case "date":
                    yield Run(_date(attrs.get("timestamp")))
                case "status" | "placeholder":
                    yield Run(_text(attrs.get("text")))
                case "mediaInline":
                    yield Run(f"[{_text(attrs.get('alt')) or 'file'}]")
                case kind:
                    self._lose(f"“{kind or 'nameless'}” was reduced to its text")
                    yield Run(_text(attrs.get("text")) or " ".join(_words([node])))

    def _run(self, node: dict) -> Run:
        marks: list[str] = []
        href = ""
        for mark in _dicts(node.get("marks")):
            attrs = _attrs(mark)
            match _type(mark):
                case "link":
                    href = _text(attrs.get("href"))
                    marks.append("link")
                case "subsup":
                    marks.append("sup" if attrs.get("type") == "sup" else "sub")
                case "textColor" | "backgroundColor":
                    self._lose("colours of text")
                case kind if kind in _MARKS:
                    marks.append(_MARKS[kind])
        return Run(_text(node.get("text")), tuple(marks), href)


def _words(nodes: list[dict]) -> Iterator[str]:
    """The text of all nodes below, however deep; iterative."""
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if text := _text(node.get("text")) or ("\n" if _type(node) == "hardBreak" else ""):
            yield text
        stack.extend(reversed(_content(node)))


def _card(attrs: dict) -> Run:
    data = attrs.get("data")
    url = _text(attrs.get("url")) or (_text(data.get("url")) if isinstance(data, dict) else "")
    return Run(url, ("link",), url)


def _date(timestamp: object) -> str:
    """The day of an ADF date, which is a number of milliseconds as text."""
    try:
        return datetime.fromtimestamp(int(_text(timestamp)) / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return _text(timestamp)


def _loose(node: dict) -> list[dict]:
    """A list entry that is text itself."""
    return [node] if _type(node) in _INLINE else []


def _type(node: dict) -> str:
    return _text(node.get("type"))


def _attrs(node: dict) -> dict:
    attrs = node.get("attrs")
    return attrs if isinstance(attrs, dict) else {}


def _content(node: object) -> list[dict]:
    return _dicts(node.get("content")) if isinstance(node, dict) else []


def _dicts(value: object) -> list[dict]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) and abs(value) < 1_000_000 else default


def _some(block: Block | None) -> Iterator[Block]:
    if block is not None:
        yield block
