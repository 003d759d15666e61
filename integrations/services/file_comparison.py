"""What became of the files of a linked ticket: whether the other side holds what was sent.  Reads the database only.

What left is known by its hash and length, counted while it streamed; what arrived by the length that the receiver's own
history tells.  A system that cut a file or added to it shows in the two lengths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from integrations.models import Delivery, LinkedTicket, SyncEvent
from integrations.services.timeline.fates import file_trace, stand_in_of


class FileVerdict(StrEnum):
    """How one file stands that was released to the other side."""

    EQUAL = "equal"
    # All of it was taken; the receiver's history has not told of it yet.
    CARRIED = "carried"
    # The receiver holds another length than was sent.
    DIFFERS = "differs"
    # It is there, and a lost answer took along what was measured.
    UNMEASURED = "not measured"
    STAND_IN = "note in its place"
    UNDER_WAY = "on its way"
    SKIPPED = "skipped"


def compare_files(linked_ticket: LinkedTicket) -> dict[FileVerdict, int]:
    """How many files stand how, in the order of the verdicts.  Two queries; changes nothing."""
    deliveries = list(
        Delivery.objects.filter(lane__linked_ticket=linked_ticket, operation=Delivery.Op.FILE).order_by("pk")
    )
    seen = _seen_again(deliveries)
    found = Counter(_verdict(one, seen.get(one.pk, [])) for one in deliveries)
    return {verdict: found[verdict] for verdict in FileVerdict if found[verdict]}


def _seen_again(deliveries: Iterable[Delivery]) -> dict[int, list[Mapping[str, Any]]]:
    """The files that the receivers' histories show, by the delivery that brought them."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    events = SyncEvent.objects.filter(caused_by__in=[one.pk for one in deliveries])
    for pk, comments, files in events.values_list("caused_by", "comments", "attachments"):
        found.setdefault(pk, []).extend(_files(comments, files))
    return found


def _files(comments: Iterable[Mapping[str, Any]], files: Iterable[Mapping[str, Any]]) -> Iterator[Mapping]:
    yield from files
    for comment in comments:
        yield from comment.get("attachments", ())


def _verdict(delivery: Delivery, seen: list[Mapping[str, Any]]) -> FileVerdict:
    if delivery.state == Delivery.State.SKIPPED:
        return FileVerdict.SKIPPED
    if delivery.state != Delivery.State.DONE:
        return FileVerdict.UNDER_WAY
    if stand_in_of(delivery):
        return FileVerdict.STAND_IN
    trace = file_trace(delivery)
    if trace is None:
        return FileVerdict.UNMEASURED
    # After a lost answer nobody told the file's id; its delivery brought no other.
    made = delivery.result.get("attachment_id")
    lengths = {file.get("size_bytes") for file in seen if not made or file.get("id") == made}
    if not lengths:
        return FileVerdict.CARRIED
    return FileVerdict.EQUAL if lengths == {trace.size_bytes} else FileVerdict.DIFFERS
