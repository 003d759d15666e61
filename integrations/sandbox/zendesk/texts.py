"""Comment texts as Zendesk keeps them: `body`, `html_body` and `plain_body` made from what was written.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/ : `body` loses its HTML and is read as
Markdown when an agent writes it, `html_body` is cleaned, both are cut at 64 kB without a word, and placeholders in
either are run.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from html.parser import HTMLParser

MAX_BYTES = 64 * 1024

_KEPT = frozenset(
    "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins li ol p pre s span strike strong sub "
    "sup table tbody td tfoot th thead tr u ul".split()
)
_VOID = frozenset(("br", "hr", "img"))
_UNSEEN = frozenset(("script", "style", "head", "title", "iframe", "object"))
_BLOCKS = frozenset("blockquote dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre table tr ul".split())
_DIRECTED = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol"))
_ATTRIBUTES = {"a": ("href", "title", "target", "rel"), "img": ("src", "alt", "width", "height")}
_SAFE_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:|/|#)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_PLACEHOLDER = re.compile(r"(\\*)\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Texts:
    """A comment's three forms, and the placeholders that were run in it."""

    body: str
    html_body: str
    plain_body: str
    placeholders: tuple[str, ...] = ()


def from_body(text: str, *, is_agent: bool) -> Texts:
    """The forms of a comment written as `body`."""
    text, ran = _run_placeholders(_cut(text))
    body = _collapse(html.unescape(_TAG.sub("", text)) if "<" in text else text)
    return Texts(body, _wrap(_markup(body, is_agent=is_agent)), _plain(body), ran)


def from_html(text: str) -> Texts:
    """The forms of a comment written as `html_body`."""
    text, ran = _run_placeholders(_cut(text))
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    body = cleaner.text()
    return Texts(body, _wrap(cleaner.html()), _plain(body), ran)


def _cut(text: str) -> str:
    raw = text.encode()
    return text if len(raw) <= MAX_BYTES else raw[:MAX_BYTES].decode(errors="ignore")


def _run_placeholders(text: str) -> tuple[str, tuple[str, ...]]:
    """Placeholders vanish, as Liquid renders what it does not know; with a backslash before them they stay."""
    if "{{" not in text:
        return text, ()
    ran: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return "{{" + match[2] + "}}"
        ran.append(match[2].strip())
        return ""

    return _PLACEHOLDER.sub(replace, text), tuple(ran)


def _collapse(text: str) -> str:
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.replace("\r\n", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _plain(body: str) -> str:
    return body


def _wrap(inner: str) -> str:
    return f'<div class="zd-comment" dir="auto">{inner}</div>'


def _markup(body: str, *, is_agent: bool) -> str:
    paragraphs = []
    for part in body.split("\n\n"):
        inner = html.escape(part, quote=False)
        if is_agent:
            inner = _markdown(inner)
        paragraphs.append('<p dir="auto">' + inner.replace("\n", "\n<br>") + "</p>")
    return "\n\n".join(paragraphs)


def _markdown(text: str) -> str:
    """The inline Markdown that changes most texts by accident: bold, italic, code, links."""
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*(\S(?:[^*\n]*\S)?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"(?<![*\w])\*(\S(?:[^*\n]*\S)?)\*(?![*\w])", r"<em>\1</em>", text)
    text = re.sub(r"(?<!\w)_(\S(?:[^_\n]*\S)?)_(?!\w)", r"<em>\1</em>", text)
    return re.sub(r"\[([^\]\n]+)\]\((https?://[^)\s]+)\)", r'<a href="\2" rel="noreferrer">\1</a>', text)


class _Cleaner(HTMLParser):
    """Drops what Zendesk drops from `html_body`, and collects the text beside it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._html: list[str] = []
        self._text: list[str] = []
        self._open: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        if self._unseen or tag not in _KEPT:
            return
        if tag in _BLOCKS:
            self._text.append("\n" if tag in ("li", "tr") else "\n\n")
        if tag == "br":
            self._text.append("\n")
        if tag == "li":
            self._text.append("- ")
        self._html.append(f"<{tag}{_attributes(tag, attrs)}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        if self._unseen or tag not in self._open:
            return
        while self._open:
            last = self._open.pop()
            self._html.append(f"</{last}>")
            if last in _BLOCKS and last != "li":
                self._text.append("\n\n")
            if last == tag:
                return

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        self._html.append(html.escape(data, quote=False))
        self._text.append(data if "pre" in self._open else re.sub(r"\s+", " ", data))

    def html(self) -> str:
        return "".join(self._html) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def text(self) -> str:
        return _collapse("".join(self._text))


def _attributes(tag: str, attrs: list[tuple[str, str | None]]) -> str:
    kept = {"dir": "auto"} if tag in _DIRECTED else {}
    for name, value in attrs:
        if name not in _ATTRIBUTES.get(tag, ()) or value is None:
            continue
        if name in ("href", "src") and not _SAFE_ADDRESS.match(value.strip()):
            continue
        kept[name] = value
    return "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())
