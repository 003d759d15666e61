"""A new text written into an issue's own ADF: nodes that say the same already stay as they are.  Pure; never raises.

Our model holds less than ADF: a mention is more than a name, a picture more than its name, and colours, cards and
layouts are not in it at all.  So the issue's own top-level nodes are kept wherever the new text has the very blocks
that they read as.
"""

from __future__ import annotations

from integrations.connectors.jira.adf import from_adf, settled, to_adf
from integrations.richtext import patching
from integrations.richtext.blocks import Block, Document


def patched(own: object, wanted: Document) -> dict:
    """The ADF that says `wanted`, made of the nodes of `own` as far as they fit; `own` may be any JSON.

    Equal to `own` when there is nothing to change.
    """
    nodes = _nodes(own)
    said = [_said(node) for node in nodes]
    content = patching.patched(nodes, said, settled(wanted).blocks, to_adf(wanted)["content"])
    return {"type": "doc", "version": 1, "content": content}


def _nodes(own: object) -> list[dict]:
    content = own.get("content") if isinstance(own, dict) else None
    return [node for node in content if isinstance(node, dict)] if isinstance(content, list) else []


def _said(node: dict) -> tuple[Block, ...]:
    """What a node says in the form in which a text from elsewhere would say it: people and files as words."""
    return settled(from_adf({"type": "doc", "version": 1, "content": [node]})).blocks
