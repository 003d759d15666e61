"""What a change holds, in words: its fields, its comments and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.canonical import Value
from integrations.mapping.files import without_names
from integrations.mapping.plan import text_of
from integrations.models import Delivery, System
from integrations.richtext import blocks
from integrations.services.timeline.entries import FieldChange, File, Remark

# Longer values are texts, not choices: the timeline says that they changed, and shows their beginning.
SHORT = 80


def field_labels(system: System) -> dict[str, str]:
    """How people know the system's fields, as far as it has told us."""
    return {one["name"]: one["label"] for one in system.metadata.get("fields", []) if one.get("label")}


def field_changes(
    after: Mapping[str, Value], before: Mapping[str, Value], labels: Mapping[str, str]
) -> list[FieldChange]:
    """What changed, in words, by the fields' names: PostgreSQL does not keep the order in which JSON was written."""
    found = []
    for name, value in after.items():
        old, new = text_of(before.get(name)), text_of(value)
        is_text = blocks.is_document(value) or max(len(old), len(new)) > SHORT
        if is_text:
            old, new = "", _beginning(new)
        found.append(FieldChange(labels.get(name) or readable(name), old, new, is_text))
    return sorted(found, key=lambda change: change.label)


def readable(name: str) -> str:
    """A field's name as a label, where its system has told none."""
    return name.replace("_", " ").strip().capitalize()


def _beginning(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHORT else text[: SHORT - 1].rstrip() + "…"


def remark_of(
    comment: Mapping[str, Any],
    *,
    shows_text: bool = True,
    stayed: Mapping[str, str] | None = None,
    is_own: bool = True,
) -> Remark:
    """A comment as others may read it, or its own company; `stayed` says which of its files did not leave, and why."""
    author, stayed = comment.get("author", ""), stayed or {}
    if not shows_text:
        return Remark("", False, None)
    attachments = comment.get("attachments", ())
    body = comment.get("body")
    if stayed and not is_own:
        names = {str(file.get("name")) for file in attachments if file.get("id") in stayed}
        body = without_names(body, names.__contains__)
    return Remark(
        author=author if isinstance(author, str) else text_of(author),
        is_public=bool(comment.get("is_public")),
        body=blocks.from_value(body),
        files=tuple(file_of(file, stayed, is_own=is_own) for file in attachments),
    )


def left_company(comment: Mapping[str, Any], deliveries: Sequence[Delivery]) -> bool:
    """Whether others may read a comment: it is public, or the sender's rules released this very note."""
    if comment.get("is_public"):
        return True
    return any(one.envelope.get("comment", {}).get("body") == comment.get("body") for one in deliveries)


def file_of(file: Mapping[str, Any], stayed: Mapping[str, str], *, is_own: bool) -> File:
    """A file, or for others than its company only that one stayed, and why."""
    reason = stayed.get(str(file.get("id")), "")
    if reason and not is_own:
        return File("", stayed=reason)
    return File(str(file.get("name", "")), int(file.get("size_bytes") or 0), reason)
