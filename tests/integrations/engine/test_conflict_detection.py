"""Whether a change had seen what it meets, and what the rules make of it, judged on values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import Value
from integrations.engine.conflicts import seen_by_change, watched
from integrations.engine.shares import Share, share_of
from integrations.engine.values import (
    DeliveryState,
    HeadView,
    Operation,
    SideView,
    Stamp,
    TicketState,
    Winner,
)
from integrations.mapping.rules import NO_RULES, ConflictPolicy, FieldRule, RuleSet, UpdateMode
from integrations.richtext.blocks import from_plain

DESK, BOARD, YARD = 3, 7, 9
NEWEST, OWN, PERSON = ConflictPolicy
CAME, SEEN = Stamp(20, DESK), Stamp(5, DESK)
OURS = Winner("ours", Stamp(10, BOARD))


def rules(*found: FieldRule) -> RuleSet:
    return RuleSet(id=1, version=1, rules=found)


def side(system_id: int, policy: ConflictPolicy = NEWEST, **more: Any) -> SideView:
    incoming = rules(FieldRule("title", "title", conflict=policy, **more))
    return SideView(system_id, system_id, "", False, {}, rules(FieldRule("title", "title")), incoming)


class AsWritten:
    """A system that keeps every value as it was written."""

    def settled(self, system_id: int, field: str, value: Value) -> Value:
        return value


def judged(
    policy: ConflictPolicy,
    *,
    came: Value = "theirs",
    at: Stamp = CAME,
    seen: Stamp = SEEN,
    was: Value = "before",
    stands: Winner = OURS,
    is_edit: bool = True,
    base: Value = None,
    **more: Any,
) -> tuple[str, Any]:
    """What becomes of a change that comes to the board: written, kept (with its stamp), asked, overtaken or equal."""
    told = {"stamp": seen.as_value(), "is_edit": is_edit} | ({"was": was} if is_edit else {})
    envelope: dict[str, Any] = {"fields": {"title": came}, "seen": {"title": told}}
    if base is not None:
        envelope["base"] = {"title": base}
    target = TicketState(1, BOARD, "B-1", "", 1, 1, {"title": stands.value}, {"title": stands})
    head = HeadView(
        lane_id=1,
        delivery_id=1,
        number=1,
        operation=Operation.UPDATE,
        state=DeliveryState.NEW,
        marker="",
        origin="",
        stamp=at,
        envelope=envelope,
        problem={},
        wanted={},
        is_recognised=True,
        has_effect=False,
        send_by=datetime(2026, 3, 2, tzinfo=UTC),
        tries=0,
        lane_tries=0,
        side=side(BOARD, policy, **more),
        sender=side(DESK),
        target=target,
        source_system_id=DESK,
    )
    systems: Any = AsWritten()
    share = share_of(head, target, target.actual, systems)
    assert isinstance(share, Share)
    if share.questions:
        return "asked", share.questions[0].shared
    if share.told:
        return "kept", share.told["title"].stamp
    if share.open:
        return "written", share.open["title"]
    return ("equal", None) if share.equal else ("overtaken", None)


@pytest.mark.parametrize(
    ("case", "newest", "own", "person"),
    [
        # Made without having seen ours, and newer or older than ours by the clocks.
        ({}, "written", "kept", "asked"),
        ({"at": Stamp(9, DESK)}, "overtaken", "overtaken", "asked"),
        # Its history had shown ours before, whatever its clock says.
        ({"seen": Stamp(10, BOARD)}, "written", "written", "written"),
        ({"seen": Stamp(15, DESK)}, "written", "written", "written"),
        # It replaced exactly what stands here.
        ({"was": "ours"}, "written", "written", "written"),
        # Both wrote the same.
        ({"came": "ours"}, "equal", "equal", "equal"),
        # What stands came from the sender's own system, or from the one that speaks.
        ({"stands": Winner("ours", Stamp(10, DESK))}, "written", "written", "written"),
        (
            {"at": Stamp(20, YARD), "stands": Winner("ours", Stamp(10, YARD))},
            *("written", "written", "written"),
        ),
        # What stands came here from a third system, of which the sender had not heard.
        ({"stands": Winner("ours", Stamp(10, YARD))}, "written", "kept", "asked"),
        # A value told again: only what would cover ours matters.
        ({"is_edit": False, "seen": Stamp(0, 0)}, "written", "kept", "asked"),
        ({"is_edit": False, "seen": Stamp(0, 0), "at": Stamp(9, DESK)}, *["overtaken"] * 3),
        ({"is_edit": False, "seen": Stamp(10, BOARD)}, "written", "written", "written"),
        # What is appended covers nothing.
        ({"mode": UpdateMode.APPEND, "came": "x"}, "written", "written", "written"),
    ],
)
def test_what_becomes_of_a_change(case: dict[str, Any], newest: str, own: str, person: str) -> None:
    outcomes = [judged(policy, **case)[0] for policy in (NEWEST, OWN, PERSON)]

    assert outcomes == [newest, own, person]


def test_what_is_kept_is_newer_than_all_that_the_sender_can_make_of_it() -> None:
    assert judged(OWN) == ("kept", Stamp(22, BOARD))


@pytest.mark.parametrize(
    ("ours", "theirs", "own", "person"),
    [
        ("first!\nsecond", "first\nsecond!", "first!\nsecond!", ("written", "first!\nsecond!")),
        ("ours\nsecond", "theirs\nsecond", "ours\nsecond", ("asked", "title")),
    ],
)
def test_of_a_text_only_a_paragraph_that_both_changed_is_in_conflict(
    ours: str, theirs: str, own: str, person: tuple[str, str]
) -> None:
    def text(plain: str) -> Value:
        return from_plain(plain.replace("\n", "\n\n")).as_value()

    case: dict[str, Any] = {
        "came": text(theirs),
        "was": text("first\nsecond"),
        "base": text("first\nsecond"),
        "stands": Winner(text(ours), Stamp(10, BOARD)),
    }
    kept, value = judged(OWN, **case)
    asked, what = judged(PERSON, **case)

    if own == ours:
        assert (kept, value) == ("kept", Stamp(22, BOARD))
    else:
        assert (kept, value) == ("written", text(own))
    assert (asked, what) == (person if asked == "asked" else (person[0], text(person[1])))


def test_a_change_tells_what_its_own_ticket_held_until_then() -> None:
    stamps = {"title": Stamp(5, DESK), "status": Stamp(99, DESK)}

    told = seen_by_change(
        *(side(DESK), side(BOARD, PERSON), {"title": "new"}, {"title": "old"}, stamps), changed=["title"]
    )

    assert told == {"seen": {"title": {"stamp": [5, DESK], "was": "old", "is_edit": True}}}


def test_nothing_is_told_where_nobody_asks() -> None:
    assert seen_by_change(side(DESK), side(BOARD), {"title": "new"}, {}, {}, changed=["title"]) == {}


@pytest.mark.parametrize(
    ("sender", "receiver", "asked"),
    [
        (NEWEST, OWN, {"title"}),
        (PERSON, OWN, {"title"}),
        (OWN, PERSON, {"title"}),
        (OWN, NEWEST, set()),
        # Neither would give way: the newest stands.
        (OWN, OWN, set()),
    ],
)
def test_whether_the_receiver_asks(sender: ConflictPolicy, receiver: ConflictPolicy, asked: set[str]) -> None:
    assert watched(side(DESK, sender), side(BOARD, receiver)) == asked


def test_edits_of_a_field_that_is_not_sent_tell_nothing_of_what_was_seen() -> None:
    # What comes in is written to “subtitle”, what leaves is “title”.
    desk = replace(side(DESK), incoming=rules(FieldRule("title", "subtitle")))
    stamps = {"title": Stamp(5, DESK)}

    def known(subtitle: Stamp) -> Any:
        told = seen_by_change(
            *(desk, side(BOARD, PERSON), {"title": "new"}, {}, stamps | {"subtitle": subtitle}),
            changed=["title"],
        )
        return told["seen"]["title"]["stamp"]

    assert (known(Stamp(50, DESK)), known(Stamp(50, BOARD))) == ([5, DESK], [50, BOARD])


def test_a_side_without_rules_asks_nothing() -> None:
    bare = SideView(1, BOARD, "", False, {}, NO_RULES, NO_RULES)
    assert watched(side(DESK, OWN), bare) == frozenset()
