"""The shapes in which the ending is written: a ticket, a comment, a file, a clock; and how each vendor writes texts.

Pure.  The texts are put together here by hand, so that what a connector makes is compared with something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """A comment: who wrote it, how it reads, and the vendor's own form of it."""

    author: str
    text: str
    body: Any
    public: bool = True
    # Jira's comments carry named values; Concord plants one in each of its own.
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file by its name, size and digest."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Ending:
    """One ticket in one system.  `changes` is the length of its history: one more is a write too many."""

    fields: Mapping[str, Any]
    comments: tuple[Said, ...]
    files: tuple[File, ...] = ()
    changes: int = 0
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockEnding:
    """One clock of one ticket.  Moments are named as the story's steps mark them; `pause` is from one to another."""

    kind: str
    priority: str
    target_min: int
    stopped: str | None
    pause: tuple[str, str] | None = None
    is_breached: bool = False


# --- Zendesk ---


def html(*blocks: str) -> str:
    """A comment's HTML as Zendesk keeps it."""
    return f'<div class="zd-comment" dir="auto">{"".join(blocks)}</div>'


def html_paragraph(text: str) -> str:
    """One paragraph of it."""
    return f'<p dir="auto">{text}</p>'


def html_bullets(*lines: str) -> str:
    """A list of it."""
    return f'<ul dir="auto">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'


def mara(text: str, *, public: bool = True) -> Said:
    """What Mara wrote in Zendesk."""
    return Said("Mara Lund", text, html(html_paragraph(text)), public)


def from_jo(text: str) -> Said:
    """What Jo wrote in Jira, as Concord tells it in Zendesk: to the agents, who decide what the shopper reads."""
    heading = "Jo Park (Infinity Solutions)"
    body = html(html_paragraph(f"<strong>{heading}</strong>"), html_paragraph(text))
    return Said("Concord", f"{heading}\n\n{text}", body, public=False)


# --- Jira ---


def text(words: str, *marks: str) -> dict[str, Any]:
    """Words in Atlassian's document format."""
    return {"type": "text", "text": words, **({"marks": [{"type": one} for one in marks]} if marks else {})}


def paragraph(*content: dict[str, Any]) -> dict[str, Any]:
    """A paragraph of them."""
    return {"type": "paragraph", "content": list(content)}


def bullets(*lines: str) -> dict[str, Any]:
    """A list of lines."""
    items = [{"type": "listItem", "content": [paragraph(text(line))]} for line in lines]
    return {"type": "bulletList", "content": items}


def document(*blocks: dict[str, Any]) -> dict[str, Any]:
    """The whole."""
    return {"type": "doc", "version": 1, "content": list(blocks)}


def jo(words: str) -> Said:
    """What Jo wrote in Jira."""
    return Said("Jo Park", words, document(paragraph(text(words))))


def from_mara(words: str) -> Said:
    """What Mara wrote in Zendesk, as Concord tells it in Jira."""
    heading = "Mara Lund (Mercuri Inc)"
    body = document(paragraph(text(heading, "strong")), paragraph(text(words)))
    return Said("Concord", f"{heading}\n\n{words}", body, properties=("concord",))
