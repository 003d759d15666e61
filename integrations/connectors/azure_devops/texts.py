"""Texts of fields and comments in Azure DevOps' HTML, both ways, and the marker in a comment.  Pure.

The marker is an empty link at the end of a comment: nobody sees it, and the cleaning that Azure DevOps does keeps links.
Should it be taken out after all, the comment is still recognised by its words and author.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from integrations.richtext import cutting, html, html_patch
from integrations.richtext.blocks import Document, from_plain, from_value
from integrations.richtext.markdown import from_markdown

# https://learn.microsoft.com/azure/devops/organizations/settings/work/object-limits
# A marker has to find its place behind a comment.
MAX_TEXT_CHARS = 1_000_000 - 1_000
NO_TEXT = "(no text)"

# Bounded, and never over the next element: linear in the text's length, whatever is left open.
_MARKER = re.compile(r"<a\b[^<>]{0,400}#concord=([\w.~%-]{1,300})[^<>]{0,400}>\s{0,9}</a>", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z!][^<>]*>|&#?\w+;")


def read(text: object) -> Document:
    """The text of a field or comment: HTML, or plain words (Markdown counts as such) where there is no markup."""
    if not isinstance(text, str) or not text.strip():
        return Document()
    if not _MARKUP.search(text):
        return from_plain(text)
    # A mention is a link to nowhere, of which only the words are kept.
    return html.from_html(_MARKER.sub("", text))


def of_comment(record: dict) -> Document:
    """The text of a comment record; of a Markdown comment the HTML that Azure DevOps makes of it, with people's names."""
    rendered, text = record.get("renderedText"), record.get("text")
    if record.get("format") == "markdown":
        return read(rendered) if isinstance(rendered, str) and rendered.strip() else from_markdown(text)
    return read(text)


def marker_in(text: object) -> str:
    """The marker planted in a comment, or ""."""
    found = _MARKER.search(text) if isinstance(text, str) else None
    return unquote(found[1]) if found else ""


def written(value: object) -> str:
    """The HTML for a rich-text value, with a mark where it is longer than Azure DevOps takes."""
    return html.to_html(_fitted(from_value(value)))


@dataclass(frozen=True, slots=True)
class Markup:
    """A text that is HTML already."""

    html: str


def patched(own: object, value: object) -> Markup:
    """The text for a field that holds `own` HTML: elements that say the same stay, with all our model has no word for."""
    wanted = _fitted(from_value(value))
    text = (
        html_patch.patched(own, wanted, read)
        if isinstance(own, str) and own.strip()
        else html.to_html(wanted)
    )
    return Markup(text if len(text) <= MAX_TEXT_CHARS else html.to_html(wanted))


def _fitted(document: Document) -> Document:
    return cutting.fitted(document, lambda blocks: len(html.to_html(Document(blocks))), MAX_TEXT_CHARS)


def comment(value: object, address: str, marker: str) -> str:
    """The HTML of a comment with its marker; `address` is the work item's own."""
    mark = f'<a href="{address}#concord={quote(marker, safe="")}"></a>' if marker else ""
    return written(settled_comment(value)) + mark


def settled(value: object) -> dict | None:
    """What a rich-text field holds after this was written; None for nothing."""
    document = html.from_html(written(value))
    return document.as_value() if document.blocks else None


def settled_comment(value: object) -> dict:
    """What a comment holds after this was written: never nothing, which Azure DevOps does not take."""
    return settled(value) or from_plain(NO_TEXT).as_value()
