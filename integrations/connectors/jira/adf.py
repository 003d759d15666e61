"""The Atlassian Document Format, read and written.  Pure; never raises on any JSON; linear and of bounded depth.

Schema: https://go.atlassian.com/adf-json-schema.  What the neutral model has no word for is told in
`Document.losses`; its text is always kept.  People and files are written as text: an account id of another company
would name a stranger, and a file in the text needs an id that only Jira's editor can make.
"""

from __future__ import annotations

from collections.abc import Iterable

from integrations.connectors.jira.adf_nesting import nested
from integrations.connectors.jira.adf_reader import Reader
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
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
    join_runs,
)

_MARK_NODES: dict[str, dict] = {
    "bold": {"type": "strong"},
    "code": {"type": "code"},
    "italic": {"type": "em"},
    "strike": {"type": "strike"},
    "sub": {"type": "subsup", "attrs": {"type": "sub"}},
    "sup": {"type": "subsup", "attrs": {"type": "sup"}},
    "underline": {"type": "underline"},
}


def from_adf(value: object) -> Document:
    """The document of an ADF value; text alone becomes paragraphs, anything else an empty document."""
    reader = Reader()
    return nested(Document(reader.document(value), reader.losses()))


def to_adf(document: Document) -> dict:
    """The ADF of a document.  Equal documents give equal ADF."""
    return {"type": "doc", "version": 1, "content": _Writer().blocks(nested(document).blocks)}


def is_adf(value: object) -> bool:
    """Whether a value of a field is formatted text."""
    return isinstance(value, dict) and value.get("type") == "doc"


def settled(document: Document) -> Document:
    """What Jira holds after this document was written to it: the round trip."""
    return from_adf(to_adf(document))


class _Writer:
    """Writes a document that is already in ADF's form; holds only the counter of ids that task lists need."""

    def __init__(self) -> None:
        self._ids = 0

    def blocks(self, blocks: Iterable[Block], *, is_nested: bool = False) -> list[dict]:
        return [self._block(block, is_nested) for block in blocks]

    def _block(self, block: Block, is_nested: bool) -> dict:
        match block:
            case Paragraph(inlines=found):
                return {"type": "paragraph", "content": _inline_nodes(found)}
            case Heading(level=level, inlines=found):
                return {"type": "heading", "attrs": {"level": level}, "content": _inline_nodes(found)}
            case CodeBlock(text=text, language=language):
                node: dict = {"type": "codeBlock", "content": [{"type": "text", "text": text}]}
                if language:
                    node["attrs"] = {"language": language}
                return node
            case Rule():
                return {"type": "rule"}
            case File(name=name):
                return {"type": "paragraph", "content": [{"type": "text", "text": f"[{name}]"}]}
            case Quote(blocks=inner):
                return {"type": "blockquote", "content": self.blocks(inner, is_nested=is_nested)}
            case BulletList(items=items) if items and items[0].is_done is not None:
                return self._task_list(items)
            case BulletList(items=items):
                return {"type": "bulletList", "content": [self._item(item) for item in items]}
            case OrderedList(items=items, start=start):
                content = [self._item(item) for item in items]
                return {"type": "orderedList", "attrs": {"order": start}, "content": content}
            case Panel(kind=kind, blocks=inner, title=title):
                return self._panel(kind, inner, title, is_nested)
            case Table(rows=rows):
                return {
                    "type": "table",
                    "content": [
                        {"type": "tableRow", "content": [self._cell(cell) for cell in row]} for row in rows
                    ],
                }

    def _item(self, item: Item) -> dict:
        content = self.blocks(item.blocks, is_nested=True)
        # Older readers of ADF want an item to begin with text.
        if not content or content[0]["type"] not in ("paragraph", "codeBlock"):
            content.insert(0, _empty_paragraph())
        return {"type": "listItem", "content": content}

    def _task_list(self, items: tuple[Item, ...]) -> dict:
        content: list[dict] = []
        node = {"type": "taskList", "attrs": {"localId": self._id()}, "content": content}
        for item in items:
            words = [
                inline for block in item.blocks if isinstance(block, Paragraph) for inline in block.inlines
            ]
            state = "DONE" if item.is_done else "TODO"
            content.append(
                {
                    "type": "taskItem",
                    "attrs": {"localId": self._id(), "state": state},
                    "content": _inline_nodes(words),
                }
            )
            content += [self._task_list(b.items) for b in item.blocks if isinstance(b, BulletList)]
        return node

    def _panel(self, kind: str, inner: tuple[Block, ...], title: str, is_nested: bool) -> dict:
        content = self.blocks(inner, is_nested=True) or [_empty_paragraph()]
        if title:
            return {
                "type": "nestedExpand" if is_nested else "expand",
                "attrs": {"title": title},
                "content": content,
            }
        return {"type": "panel", "attrs": {"panelType": kind}, "content": content}

    def _cell(self, cell: Cell) -> dict:
        return {
            "type": "tableHeader" if cell.is_header else "tableCell",
            "content": self.blocks(cell.blocks, is_nested=True) or [_empty_paragraph()],
        }

    def _id(self) -> str:
        # Counted, not drawn: the same document has to give the same ADF.
        self._ids += 1
        return f"concord-{self._ids}"


def _empty_paragraph() -> dict:
    return {"type": "paragraph", "content": []}


def _inline_nodes(found: Iterable[Inline]) -> list[dict]:
    named = (Run("@" + inline.name) if isinstance(inline, Mention) else inline for inline in found)
    return [_inline_node(inline) for inline in join_runs(named)]


def _inline_node(inline: Inline) -> dict:
    if not isinstance(inline, Run):
        return {"type": "hardBreak"}
    node: dict = {"type": "text", "text": inline.text}
    if inline.marks:
        node["marks"] = [_mark_node(mark, inline.href) for mark in inline.marks]
    return node


def _mark_node(mark: str, href: str) -> dict:
    return {"type": "link", "attrs": {"href": href}} if mark == "link" else _MARK_NODES[mark]
