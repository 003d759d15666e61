"""Texts that were edited on one side, carried into the other side's own.  Pure.

A delivery brings along what its sender's text said before the change.  The difference between the two is the edit, and
only the edit goes into the receiver's text: boxes, tables, people and the receiver's own edits elsewhere in it stay.

Where both had edited, each side makes a text of its own of the two edits, with a stamp of its own, and tells the other.
Mostly they say the same; if not, the newer one stands in the end, as with every other field.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from integrations.canonical import Fields, Value
from integrations.engine.values import Stamp, TicketState, Winner
from integrations.mapping import plan as mapping
from integrations.mapping.rules import RuleSet
from integrations.richtext.blocks import Document, from_value, is_document
from integrations.richtext.losses import lost
from integrations.richtext.merge import dressed, merge_newest, says_the_same


@dataclass(frozen=True, slots=True)
class MergedText:
    """What a receiver's text becomes.  `is_concurrent`: it had been edited as well, so this is a text of its own."""

    value: Value
    is_concurrent: bool


def as_bases(before: Fields, after: Fields) -> dict[str, dict[str, Value]]:
    """The part of an envelope that tells what texts said before; empty where none of these fields is a text."""
    found = {
        name: before[name]
        for name, value in after.items()
        if is_document(value) and is_document(before.get(name)) and before[name] != value
    }
    return {"base": found} if found else {}


def released_bases(
    rules: RuleSet, before: Fields, released: Fields, *, changed: Collection[str]
) -> dict[str, dict[str, Value]]:
    """The same of the texts that a side's rules released; `before` is the whole ticket before the change."""
    if not any(is_document(value) for value in released.values()):
        return {}
    return as_bases(mapping.release(rules, before, changed=changed).fields, released)


def merged(
    wanted: Fields, bases: Fields, target: TicketState, *, newer: Collection[str]
) -> dict[str, MergedText]:
    """The texts among `wanted` as they have to be written to the ticket, by the receiver's names of the fields.

    `newer` are the fields in which what came is newer than what stands there.
    """
    found: dict[str, MergedText] = {}
    for name, value in wanted.items():
        # Where a value is still to be put back, the text that should stand, not the one that covers it.
        own = target.winners[name].value if name in target.winners else target.actual.get(name)
        if not (is_document(value) and is_document(own)):
            continue
        incoming, current = from_value(value), from_value(own)
        if is_document(bases.get(name)):
            base = from_value(bases[name])
            result = merge_newest(base, incoming, current, incoming_is_newer=name in newer).document
            found[name] = MergedText(_value(result), not says_the_same(base, current))
        elif name in newer:
            # A text as a whole, such as the one both sides have to agree on.
            found[name] = MergedText(_value(dressed(incoming, current)), False)
    return found


def told_losses(sent: Value, held: Value) -> dict[str, Value]:
    """What a text loses on its way into a system, in sentences under `lost`; empty where it loses nothing."""
    sentences = lost(from_value(sent), from_value(held))
    return {"lost": list(sentences)} if sentences else {}


def merged_stamp(came: Stamp, stands: Stamp, system_id: int) -> Stamp:
    """The stamp of what two edits became: newer than both, and another one in each system that merges them."""
    return Stamp(max(came.ms, stands.ms) + 1, system_id)


def _value(document: Document) -> Value:
    return document.as_value() if document.blocks else None


def with_covered(written: Winner, covered: Winner, *, made_of: Winner, system_id: int) -> Winner:
    """What should stand once a text of ours was `written` over `covered`, having been `made_of` something older.

    Usually the two are the same, and what was written stands.  Otherwise somebody edited the text in between, and
    that edit goes into ours.
    """
    stamp = max(written.stamp, made_of.stamp)
    if covered.value == made_of.value or not (is_document(covered.value) and is_document(written.value)):
        return Winner(written.value, stamp)
    result = merge_newest(
        from_value(made_of.value),
        from_value(covered.value),
        from_value(written.value),
        incoming_is_newer=covered.stamp > stamp,
    )
    value = _value(result.document)
    return Winner(value, stamp if value == written.value else merged_stamp(stamp, covered.stamp, system_id))
