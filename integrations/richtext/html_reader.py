"""HTML read into the rich-text model.  Pure; never raises; see `html` for what is recognised beyond HTML.

nh3 cleans and repairs first, so that the reader meets well-formed elements of its own list only; markup that would be
dear to repair is reduced to its words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

import nh3

from integrations.richtext.blocks import (
    MAX_DEPTH,
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
from integrations.richtext.html_tangle import is_tangled, words
from integrations.richtext.html_writer import (
    DONE_SIGN,
    FILE_SIGN,
    LINK_SCHEMES,
    OPEN_SIGN,
    PANEL_SIGNS,
    is_link,
)

_MARK_OF = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strike", "strike": "strike", "del": "strike", "code": "code", "tt": "code", "kbd": "code",
    "samp": "code", "sub": "sub", "sup": "sup",
}  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_EDGES = frozenset({
    "p", "div", "section", "article", "header", "footer", "aside", "main", "nav", "address", "figure",
    "figcaption", "center", "details", "summary", "dl", "dt", "dd", "caption", "thead", "tbody", "tfoot",
})  # fmt: skip
_KEPT_TAGS = {
    *_MARK_OF, *_HEADINGS, *_EDGES, "a", "br", "hr", "pre", "blockquote", "ul", "ol", "li", "table", "tr", "td",
    "th", "img", "input",
}  # fmt: skip
_KEPT_ATTRIBUTES = {
    "a": {"href"}, "ol": {"start"}, "img": {"src", "alt"}, "input": {"type", "checked"}, "td": {"colspan"},
    "th": {"colspan"},
}  # fmt: skip

_EMBEDDED = re.compile(r"<(?:iframe|video|audio|object|embed|svg|math)\b", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_PANEL_HEAD = re.compile(rf"([{''.join(PANEL_SIGNS.values())}]) ([A-Z][a-z]+)(?:: (.+))?")

TOO_TANGLED = "The markup was too tangled to be read: only the words were kept."
TOO_DEEP = f"Nesting deeper than {MAX_DEPTH} levels was flattened."
NO_EMBEDDING = "Embedded content was left out."
NO_LINK = "A link that leads to no web address was kept as words."
NO_MERGED_CELLS = "Merged cells of a table were taken apart."
NO_PICTURE = "A picture is shown by its name."


def from_html(source: object) -> Document:
    """The document that `source` shows; `losses` tells what could not be carried.  Never raises."""
    if not isinstance(source, str) or not source:
        return Document()
    source = source.encode("utf-8", "replace").decode()
    if is_tangled(source):
        return Document(from_plain(words(source)).blocks, (TOO_TANGLED,))
    cleaned = nh3.clean(
        source,
        tags=_KEPT_TAGS,
        attributes=_KEPT_ATTRIBUTES,
        link_rel=None,
        url_schemes={*LINK_SCHEMES, "data", "cid"},
        clean_content_tags={"script", "style", "title", "template"},
    )
    reader = _Reader()
    if _EMBEDDED.search(source):
        reader.lose(NO_EMBEDDING)
    reader.feed(cleaned)
    reader.close()
    return reader.document()


@dataclass(slots=True)
class _Frame:
    """An open container and what it holds so far."""

    kind: Literal["document", "quote", "ul", "ol", "item", "table", "row", "cell"]
    blocks: list[Block] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    start: int = 1
    is_header: bool = False
    colspan: int = 1
    is_done: bool | None = None


_NESTING = frozenset({"quote", "ul", "ol", "table"})
# Where these stand elsewhere, because their container was flattened, only their words count.
_PARENTS = {"item": {"ul", "ol"}, "row": {"table"}, "cell": {"row"}}


class _Reader(HTMLParser):
    """Reads nh3's output: keeps the open containers on a stack of its own, so that depth costs no recursion."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._frames = [_Frame("document")]
        # Elements that are open, and whether each opened a frame.
        self._open: list[tuple[str, bool]] = []
        self._losses: dict[str, None] = {}
        self._marks: list[str] = []
        self._links: list[str] = []
        self._heading = 0
        self._code: list[str] | None = None
        self._inlines: list[Inline] = []
        # A blank that was read but counts only if something follows on the line; it keeps its own marks.
        self._blank: Run | None = None

    def lose(self, what: str) -> None:
        self._losses[what] = None

    def document(self) -> Document:
        """What was read; whatever is still open is closed."""
        while self._open:
            self.handle_endtag(self._open[-1][0])
        self._end_block()
        return Document(tuple(self._frames[0].blocks), tuple(self._losses))

    # Text.

    def handle_data(self, data: str) -> None:
        if self._code is not None:
            self._code.append(data)
            return
        text = _BLANKS.sub(" ", data)
        if text[:1] == " ":
            self._note_blank()
        if not (words := text.strip(" ")):
            return
        if self._blank is not None:
            self._inlines.append(self._blank)
            self._blank = None
        self._inlines.append(self._run(words.replace("\xa0", " ")))
        if text[-1] == " ":
            self._note_blank()

    def _note_blank(self) -> None:
        if self._inlines and self._blank is None and not isinstance(self._inlines[-1], LineBreak):
            self._blank = self._run(" ")

    def _run(self, text: str) -> Run:
        href = next((link for link in reversed(self._links) if link), "")
        marks = {*self._marks, *(["link"] if href else [])}
        return Run(text, tuple(sorted(marks)), href)

    def _end_block(self) -> None:
        """Close the paragraph or heading that is being read, if anything would be seen of it."""
        inlines, self._inlines, self._blank = self._inlines, [], None
        block = paragraph(inlines)
        if block is None:
            return
        if self._heading:
            self._add(Heading(self._heading, block.inlines))
        elif (file := _file_in(block)) is not None:
            self._add(file)
        else:
            self._add(block)

    def _add(self, block: Block) -> None:
        for frame in reversed(self._frames):
            if frame.kind in ("ul", "ol"):
                frame.items.append(Item((block,)))
                return
            if frame.kind not in ("table", "row"):
                frame.blocks.append(block)
                return

    # Elements.

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("br", "hr", "img", "input"):
            self._void(tag, given)
            return
        opened = False
        if self._code is not None:
            # Inside <pre> only the words count.
            pass
        elif tag in _MARK_OF:
            self._marks.append(_MARK_OF[tag])
        elif tag == "a":
            self._links.append(self._link(given.get("href", "")))
        elif tag == "pre":
            self._end_block()
            self._code = []
        else:
            self._end_block()
            self._heading = _HEADINGS.get(tag, self._heading)
            opened = self._open_frame(tag, given)
        self._open.append((tag, opened))

    def handle_endtag(self, tag: str) -> None:
        if not any(name == tag for name, _ in self._open[-1:]):
            return
        _, opened = self._open.pop()
        if self._code is not None:
            if tag == "pre":
                text, self._code = "".join(self._code), None
                self._add(CodeBlock(text.rstrip("\n").replace("\xa0", " ")))
        elif tag in _MARK_OF:
            self._marks.pop()
        elif tag == "a":
            self._links.pop()
        else:
            self._end_block()
            if tag in _HEADINGS:
                self._heading = 0
            if opened:
                self._close_frame()

    def _void(self, tag: str, given: dict[str, str]) -> None:
        if self._code is not None:
            self._code.append("\n" if tag == "br" else "")
        elif tag == "br":
            self._inlines.append(LineBreak())
            self._blank = None
        elif tag == "hr":
            self._end_block()
            self._add(Rule())
        elif tag == "img":
            self._end_block()
            self.lose(NO_PICTURE)
            self._add(File(_picture_name(given)))
        elif given.get("type", "").lower() == "checkbox":
            self._frames[-1].is_done = "checked" in given

    def _link(self, href: str) -> str:
        href = "".join(href.split())
        if is_link(href):
            return href
        if href:
            self.lose(NO_LINK)
        return ""

    # Containers.

    def _open_frame(self, tag: str, given: dict[str, str]) -> bool:
        frame = _frame_of(tag, given)
        if frame is None or self._frames[-1].kind not in _PARENTS.get(frame.kind, {self._frames[-1].kind}):
            return False
        if frame.kind in _NESTING and self._depth() >= MAX_DEPTH:
            self.lose(TOO_DEEP)
            return False
        self._frames.append(frame)
        return True

    def _depth(self) -> int:
        return sum(frame.kind in _NESTING for frame in self._frames)

    def _close_frame(self) -> None:
        frame = self._frames.pop()
        parent = self._frames[-1]
        match frame.kind:
            case "quote":
                if frame.blocks:
                    self._add(_panel_in(frame.blocks) or Quote(tuple(frame.blocks)))
            case "item":
                parent.items.append(_item(frame))
            case "ul" | "ol" if frame.items:
                self._add_list(frame, parent)
            case "cell":
                parent.cells.append(Cell(tuple(frame.blocks), frame.is_header))
                if frame.colspan > 1:
                    self.lose(NO_MERGED_CELLS)
                    parent.cells.extend(Cell((), frame.is_header) for _ in range(frame.colspan - 1))
            case "row" if frame.cells:
                parent.rows.append(tuple(frame.cells))
            case "table" if frame.rows:
                self._add(Table(tuple(frame.rows)))

    def _add_list(self, frame: _Frame, parent: _Frame) -> None:
        items = tuple(frame.items)
        block = BulletList(items) if frame.kind == "ul" else OrderedList(items, frame.start)
        if parent.kind in ("ul", "ol") and parent.items:
            # <ul><li>a</li><ul>...</ul></ul>, as many editors write it: the inner list belongs to the item before.
            last = parent.items[-1]
            parent.items[-1] = Item((*last.blocks, block), last.is_done)
        else:
            self._add(block)


def _frame_of(tag: str, given: dict[str, str]) -> _Frame | None:
    match tag:
        case "blockquote":
            return _Frame("quote")
        case "ul":
            return _Frame("ul")
        case "ol":
            return _Frame("ol", start=_number(given.get("start", ""), 1))
        case "li":
            return _Frame("item")
        case "table":
            return _Frame("table")
        case "tr":
            return _Frame("row")
        case "td" | "th":
            colspan = min(max(_number(given.get("colspan", ""), 1), 1), 100)
            return _Frame("cell", is_header=tag == "th", colspan=colspan)
    return None


def _number(text: str, default: int) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else default


def _item(frame: _Frame) -> Item:
    blocks, is_done = frame.blocks, frame.is_done
    if is_done is None and blocks and isinstance(first := blocks[0], Paragraph):
        head = first.inlines[0]
        if isinstance(head, Run) and not head.marks and head.text[:1] in (OPEN_SIGN, DONE_SIGN):
            if head.text[1:2] in ("", " "):
                is_done = head.text[0] == DONE_SIGN
                rest = paragraph((Run(head.text[2:]), *first.inlines[1:]))
                blocks = [*([rest] if rest else []), *blocks[1:]]
    return Item(tuple(blocks), is_done)


def _file_in(block: Paragraph) -> File | None:
    match block.inlines:
        case (Run(text=text, marks=()),) if text.startswith(FILE_SIGN + " "):
            return File(text[len(FILE_SIGN) + 1 :])
    return None


def _panel_in(blocks: list[Block]) -> Panel | None:
    match blocks[0]:
        case Paragraph(inlines=(Run(text=text, marks=("bold",)),)):
            found = _PANEL_HEAD.fullmatch(text)
            if found and PANEL_SIGNS.get(found[2].lower()) == found[1]:
                return Panel(found[2].lower(), tuple(blocks[1:]), found[3] or "")
    return None


def _picture_name(given: dict[str, str]) -> str:
    """How people know the picture: its alternative text, or the name in its address; never the address itself."""
    if alt := " ".join(given.get("alt", "").split()):
        return alt
    try:
        parts = urlsplit(given.get("src", ""))
        if parts.scheme == "data":
            return "picture"
        name = parse_qs(parts.query).get("name", [""])[0] or unquote(parts.path).rpartition("/")[2]
    except ValueError:
        name = ""
    return " ".join(name.split()) or "picture"
