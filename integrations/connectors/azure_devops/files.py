"""Files on work items: links of the kind AttachedFile, read and made.  Pure."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping

from integrations.canonical import Attachment

ATTACHED = "AttachedFile"
# In a link's comment, which Azure DevOps gives back with the link.
MARKER = "concord:"
_GUID = re.compile(r"/attachments/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:[/?#]|$)")


def attachment(link: Mapping[str, object]) -> Attachment | None:
    """The file behind a link; None for a link to something else.

    Only the id is taken from the address: it is never followed.  Azure DevOps keeps no content type; the name tells it.
    """
    url = link.get("url")
    found = _GUID.search(url) if isinstance(url, str) else None
    if link.get("rel") != ATTACHED or found is None:
        return None
    attributes = _attributes(link)
    name, size = attributes.get("name"), attributes.get("resourceSize")
    shown = name if isinstance(name, str) and name else "file"
    return Attachment(
        found[1].lower(),
        shown,
        mimetypes.guess_type(shown)[0] or "application/octet-stream",
        size if isinstance(size, int) and not isinstance(size, bool) else 0,
        found[1].lower(),
    )


def marker_of(link: Mapping[str, object]) -> str:
    """The marker we planted with a file, or ""."""
    comment = _attributes(link).get("comment")
    if isinstance(comment, str) and comment.startswith(MARKER):
        return comment.removeprefix(MARKER)
    return ""


def link_to(url: str, name: str, marker: str) -> dict[str, object]:
    """The operation that hangs an uploaded file on a work item."""
    attributes = {"name": name, "comment": MARKER + marker}
    return {
        "op": "add",
        "path": "/relations/-",
        "value": {"rel": ATTACHED, "url": url, "attributes": attributes},
    }


def _attributes(link: Mapping[str, object]) -> Mapping[str, object]:
    found = link.get("attributes")
    return found if isinstance(found, dict) else {}
