"""Texts that were edited on one side, carried into the other side's own.  Pure.

A delivery brings along what its sender's text said before the change.  The difference between the two is the edit, and
only the edit goes into the receiver's text: boxes, tables, people and the receiver's own edits elsewhere in it stay.

Where both had edited, each side makes a text of its own of the two edits, with a stamp of its own, and tells the other.
Mostly they say the same; if not, the newer one stands in the end, as with every other field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from integrations.canonical import Fields, Value
from integrations.engine.values import Stamp, TicketState, Winner
from integrations.mapping import plan as mapping
from integrations.mapping.rules import RuleSet
from integrations.richtext.blocks import Document, from_value, is_document
from integrations.richtext.cutting import completed, completed_line, is_beginning, is_cut, with_end
from integrations.richtext.merge import dressed, merge, merge_newest, says_the_same

# What a system makes of a field's value.
Settled = Callable[[str, Value], Value]


@dataclass(frozen=True, slots=True)
class MergedText:
    """What a receiver's text becomes.  `is_concurrent`: it had been edited as well, so this is a text of its own.

    `clashes`: both edited the same part of it, and one of the two gave way.
    """

    value: Value
    is_concurrent: bool
    clashes: bool = False


def as_bases(before: Fields, after: Fields) -> dict[str, dict[str, Value]]:
    """The part of an envelope that tells what texts said before; empty where none of these fields is a text.

    A line counts where it is the beginning of a longer one.
    """
    found = {
        name: before[name]
        for name, value in after.items()
        if before.get(name) != value
        and (
            (is_document(value) and is_document(before.get(name))) or _are_cut_lines(before.get(name), value)
        )
    }
    return {"base": found} if found else {}


def released_bases(
    rules: RuleSet, before: Fields, released: Fields, *, changed: Collection[str]
) -> dict[str, dict[str, Value]]:
    """The same of the texts that a side's rules released; `before` is the whole ticket before the change."""
    if not any(is_document(value) or is_cut(value) for value in released.values()):
        return {}
    return as_bases(mapping.release(rules, before, changed=changed).fields, released)


def _are_cut_lines(before: Value, after: Value) -> bool:
    return isinstance(before, str) and isinstance(after, str) and is_cut(before) and is_cut(after)


def merged(
    wanted: Fields, bases: Fields, target: TicketState, settled: Settled, *, newer: Collection[str]
) -> dict[str, MergedText]:
    """The texts among `wanted` as they have to be written to the ticket, by the receiver's names of the fields.

    `newer` are the fields in which what came is newer than what stands there; `settled` tells what the receiver's
    system makes of a field's value.
    """
    found: dict[str, MergedText] = {}
    for name, value in wanted.items():
        # Where a value is still to be put back, the text that should stand, not the one that covers it.
        own = target.winners[name].value if name in target.winners else target.actual.get(name)
        if isinstance(value, str) and isinstance(own, str) and name in newer and is_cut(value):
            line = _whole_line(bases.get(name), value, own)
            if line != value:
                found[name] = MergedText(line, False)
        if not (is_document(value) and is_document(own)):
            continue
        current, base = from_value(own), bases.get(name)
        if is_document(base):
            found[name] = _merged(
                from_value(base),
                from_value(value),
                current,
                lambda text, name=name: from_value(settled(name, text.as_value())),  # type: ignore[misc]
                incoming_is_newer=name in newer,
            )
        elif name in newer:
            # A text as a whole, such as the one both sides have to agree on.
            incoming = from_value(value)
            if is_cut(value) and not is_cut(own):
                incoming = with_end(incoming, current)
            elif is_cut(held := settled(name, value)):
                incoming = from_value(held)
            found[name] = MergedText(_value(dressed(incoming, current)), False)
    return found


def _whole_line(base: Value, value: str, own: str) -> str:
    if isinstance(base, str):
        return completed_line(base, value, own)
    return completed_line(value, value, own)


def _merged(
    base: Document,
    incoming: Document,
    current: Document,
    held: Callable[[Document], Document],
    *,
    incoming_is_newer: bool,
) -> MergedText:
    """An edit in the receiver's text.  A cut text never stands for the whole one: only its edit counts."""
    if _is_cut(base) and not _is_cut(current):
        before, after = completed(base, incoming, current)
        if is_beginning(base, current):
            # What the whole text goes on with is no edit of anybody.
            return MergedText(_value(merge(before, after, current).document), False)
        result = merge_newest(before, after, current, incoming_is_newer=incoming_is_newer)
        return MergedText(_value(result.document), True, bool(result.overruled))
    if not _is_cut(base) and (_is_cut(held(base)) or _is_cut(held(incoming))):
        # What the receiver's system has no room for is no edit of what it shows.
        base, incoming = held(base), held(incoming)
    result = merge_newest(base, incoming, current, incoming_is_newer=incoming_is_newer)
    return MergedText(_value(result.document), not says_the_same(base, current), bool(result.overruled))


def _is_cut(document: Document) -> bool:
    return is_cut(document.as_value())


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
