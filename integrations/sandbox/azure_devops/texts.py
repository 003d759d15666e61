"""HTML in work items: what of it the vendor keeps, and the words in it."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_DROPPED = frozenset(("script", "style", "iframe", "object", "embed", "form", "link", "meta"))
_VOID = frozenset(("br", "hr", "img", "input", "col", "wbr"))
_BLOCKS = frozenset(("p", "div", "li", "tr", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre"))


class _Cleaner(HTMLParser):
    """Writes markup again without what could run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self._inside.append(tag)
        elif not self._inside:
            kept = "".join(
                f' {name}="{html.escape(value or "")}"' for name, value in attrs if _safe(name, value)
            )
            self.parts.append(f"<{tag}{kept}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            if tag in self._inside:
                self._inside.remove(tag)
        elif not self._inside and tag not in _VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")


def _safe(name: str, value: str | None) -> bool:
    return not name.startswith("on") and not (value or "").strip().lower().startswith("javascript:")


def cleaned(text: str) -> str:
    """The HTML without scripts, frames and event attributes; anything else as it was written."""
    if "<" not in text:
        return text
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return "".join(cleaner.parts)


class _Reader(HTMLParser):
    """Collects the words, with a line for each block."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br" or tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(markup: object) -> str:
    """The words of an HTML text."""
    if not isinstance(markup, str) or not markup:
        return ""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = (line.strip() for line in "".join(reader.parts).replace("\xa0", " ").split("\n"))
    return "\n".join(line for line in lines if line)


def from_text(text: str) -> str:
    """Plain words as the HTML that the vendor's editor makes of them."""
    return "".join(f"<div>{html.escape(line, quote=False) or '<br>'}</div>" for line in text.split("\n"))


def from_markdown(text: str) -> str:
    """Enough Markdown for a comment to be shown: paragraphs, strong words and links."""
    marked = html.escape(text, quote=False)
    marked = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", marked)
    marked = re.sub(r"\[([^\]]*)\]\((https?://[^)\s]+)\)", r'<a href="\2">\1</a>', marked)
    return "\n".join(f"<p>{one}</p>" for one in re.split(r"\n{2,}", marked) if one.strip())
