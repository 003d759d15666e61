"""Atlassian Document Format: is it one, what does it say, and how would it look.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

import html
from typing import Any

MAX_DEPTH = 60


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INLINE = _names("text hardBreak mention emoji inlineCard date status placeholder mediaInline")
_BLOCKS = _names(
    "paragraph heading bulletList orderedList codeBlock blockquote panel rule table mediaSingle mediaGroup expand "
    "nestedExpand taskList decisionList blockCard embedCard extension bodiedExtension layoutSection"
)
_CHILDREN: dict[str, frozenset[str]] = {
    "doc": _BLOCKS,
    "paragraph": _INLINE,
    "heading": _INLINE,
    "codeBlock": _names("text"),
    "blockquote": _names("paragraph bulletList orderedList codeBlock mediaSingle mediaGroup"),
    "bulletList": _names("listItem"),
    "orderedList": _names("listItem"),
    "listItem": _names("paragraph bulletList orderedList codeBlock mediaSingle taskList"),
    "panel": _names(
        "paragraph heading bulletList orderedList blockCard codeBlock rule mediaSingle mediaGroup taskList decisionList"
    ),
    "table": _names("tableRow"),
    "tableRow": _names("tableCell tableHeader"),
    "tableCell": _BLOCKS,
    "tableHeader": _BLOCKS,
    "expand": _BLOCKS,
    "nestedExpand": _BLOCKS,
    "taskList": _names("taskItem taskList"),
    "taskItem": _INLINE,
    "decisionList": _names("decisionItem"),
    "decisionItem": _INLINE,
    "mediaSingle": _names("media caption"),
    "mediaGroup": _names("media"),
    "caption": _INLINE,
    "layoutSection": _names("layoutColumn"),
    "layoutColumn": _BLOCKS,
    "bodiedExtension": _BLOCKS,
}
_LEAVES = _names("rule media blockCard embedCard extension") | _INLINE
_MARKS = _names(
    "strong em code strike underline link subsup textColor backgroundColor annotation alignment indentation border "
    "breakout fragment dataConsumer fontSize"
)
_TAGS = {"strong": "b", "em": "em", "code": "tt", "strike": "del", "underline": "ins"}
_REQUIRED = {"heading": "level", "panel": "panelType", "mention": "id", "emoji": "shortName"}


def is_valid(value: object) -> bool:
    """Whether Jira would take it: version 1, known nodes in places where they may stand, no empty text."""
    if not isinstance(value, dict) or value.get("type") != "doc" or value.get("version") != 1:
        return False
    if not isinstance(value.get("content"), list) or set(value) - {"type", "version", "content"}:
        return False
    return _fits(value, 0)


def _fits(node: dict[str, Any], depth: int) -> bool:
    kind = node["type"]
    children = node.get("content", [])
    if depth > MAX_DEPTH or not isinstance(children, list):
        return False
    if (
        kind in ("bulletList", "orderedList", "listItem", "table", "tableRow", "blockquote", "panel")
        and not children
    ):
        return False
    allowed = _CHILDREN.get(kind, frozenset())
    for child in children:
        if not isinstance(child, dict) or child.get("type") not in allowed:
            return False
        if not _own_parts_fit(child) or not _fits(child, depth + 1):
            return False
    return True


def _own_parts_fit(node: dict[str, Any]) -> bool:
    kind = node["type"]
    if kind == "text" and (not isinstance(node.get("text"), str) or not node["text"]):
        return False
    attrs = node.get("attrs", {})
    if not isinstance(attrs, dict) or (kind in _REQUIRED and not attrs.get(_REQUIRED[kind])):
        return False
    if kind == "heading" and attrs["level"] not in range(1, 7):
        return False
    if kind in _LEAVES and "content" in node:
        return False
    marks = node.get("marks", [])
    if not isinstance(marks, list):
        return False
    return all(isinstance(mark, dict) and _mark_fits(mark) for mark in marks)


def _mark_fits(mark: dict[str, Any]) -> bool:
    if mark.get("type") not in _MARKS:
        return False
    attrs = mark.get("attrs", {})
    return mark["type"] != "link" or (isinstance(attrs, dict) and bool(attrs.get("href")))


def from_text(text: str) -> dict[str, Any]:
    """A document of plain paragraphs; single newlines become breaks."""
    content = []
    for part in text.replace("\r\n", "\n").split("\n\n"):
        inner: list[dict[str, Any]] = []
        for line in part.strip("\n").split("\n"):
            if inner:
                inner.append({"type": "hardBreak"})
            if line:
                inner.append({"type": "text", "text": line})
        if part.strip("\n"):
            content.append({"type": "paragraph", "content": inner})
    return {"type": "doc", "version": 1, "content": content}


def text_of(node: dict[str, Any] | None) -> str:
    """What it says, without its markup: blocks on lines of their own."""
    return "" if node is None else "\n".join(_lines(node)).strip()


def _lines(node: dict[str, Any]) -> list[str]:
    kind, children = node.get("type"), node.get("content", [])
    if kind in ("paragraph", "heading", "codeBlock", "taskItem", "decisionItem", "caption"):
        return _inline_text(children).split("\n")
    if kind == "rule":
        return ["----"]
    lines = [line for child in children for line in _lines(child)]
    if kind in ("listItem",):
        return ["* " + line if at == 0 else "  " + line for at, line in enumerate(lines)]
    if kind == "doc":
        parts = ["\n".join(_lines(child)) for child in children]
        return "\n\n".join(part for part in parts if part).split("\n")
    return lines


def _inline_text(nodes: list[dict[str, Any]]) -> str:
    parts = []
    for node in nodes:
        attrs = node.get("attrs", {})
        match node.get("type"):
            case "text":
                parts.append(node["text"])
            case "hardBreak":
                parts.append("\n")
            case "mention" | "status":
                parts.append(str(attrs.get("text", "")))
            case "emoji":
                parts.append(str(attrs.get("text") or attrs.get("shortName", "")))
            case "inlineCard":
                parts.append(str(attrs.get("url", "")))
    return "".join(parts)


def html_of(node: dict[str, Any] | None) -> str:
    """How it would look, roughly, for `renderedFields`."""
    return "" if node is None else "\n".join(_html(child) for child in node.get("content", []))


def _html(node: dict[str, Any]) -> str:
    kind, children = node["type"], node.get("content", [])
    inner = "".join(_html(child) for child in children)
    attrs = node.get("attrs", {})
    match kind:
        case "text":
            return _marked(node)
        case "hardBreak":
            return "<br/>\n"
        case "mention" | "emoji" | "status" | "inlineCard" | "date":
            return html.escape(_inline_text([node]))
        case "heading":
            return f"<h{attrs['level']}>{inner}</h{attrs['level']}>"
        case "rule":
            return "<hr />"
        case "codeBlock":
            return f"<pre>{inner}</pre>"
    tags = {
        "paragraph": "p",
        "bulletList": "ul",
        "orderedList": "ol",
        "listItem": "li",
        "blockquote": "blockquote",
    }
    tags |= {"table": "table", "tableRow": "tr", "tableCell": "td", "tableHeader": "th"}
    tag = tags.get(kind, "div")
    return f"<{tag}>{inner}</{tag}>"


def _marked(node: dict[str, Any]) -> str:
    text = html.escape(node["text"])
    for mark in node.get("marks", []):
        if mark["type"] == "link":
            text = f'<a href="{html.escape(mark["attrs"]["href"])}">{text}</a>'
        elif tag := _TAGS.get(mark["type"]):
            text = f"<{tag}>{text}</{tag}>"
    return text
