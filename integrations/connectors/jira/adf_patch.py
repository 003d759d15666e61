"""A new text written into an issue's own ADF: nodes that say the same already stay as they are.  Pure; never raises.

Our model holds less than ADF: a mention is more than a name, a picture more than its name, and colours, cards and
layouts are not in it at all.  Writing the whole text anew would flatten all of these for the sake of one edited
paragraph.  So the issue's own top-level nodes are kept wherever the new text has the very blocks that they read as.
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations.connectors.jira.adf import from_adf, settled, to_adf
from integrations.richtext.alignment import matches
from integrations.richtext.blocks import Block, Document


def patched(own: object, wanted: Document) -> dict:
    """The ADF that says `wanted`, made of the nodes of `own` as far as they fit; `own` may be any JSON.

    Equal to `own` when there is nothing to change.
    """
    nodes = _nodes(own)
    written = to_adf(wanted)["content"]
    said = [_said(node) for node in nodes]
    kept = dict(_kept(said, settled(wanted).blocks))
    content: list[dict] = []
    at = 0
    for number, node in enumerate(nodes):
        if number in kept:
            # What stands before it in the new text first.
            content += written[at : kept[number]]
            content.append(node)
            at = kept[number] + len(said[number])
        elif not said[number] and (number == 0 or content[-1:] == nodes[number - 1 : number]):
            # An empty line or a macro without words belongs to what stands before it.
            content.append(node)
    return {"type": "doc", "version": 1, "content": [*content, *written[at:]]}


def _nodes(own: object) -> list[dict]:
    content = own.get("content") if isinstance(own, dict) else None
    return [node for node in content if isinstance(node, dict)] if isinstance(content, list) else []


def _said(node: dict) -> tuple[Block, ...]:
    """What a node says in the form in which a text from elsewhere would say it: people and files as words."""
    return settled(from_adf({"type": "doc", "version": 1, "content": [node]})).blocks


def _kept(said: list[tuple[Block, ...]], wanted: tuple[Block, ...]) -> Iterator[tuple[int, int]]:
    """The nodes of which every block is wanted, side by side, and where the first of them stands in the new text."""
    blocks = [block for one in said for block in one]
    place = dict(matches(blocks, wanted))
    first = 0
    for number, one in enumerate(said):
        start = place.get(first)
        if one and start is not None and all(place.get(first + n) == start + n for n in range(len(one))):
            yield number, start
        first += len(one)
