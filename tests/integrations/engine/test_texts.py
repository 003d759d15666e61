"""A text that is edited on both sides: only what was edited changes, and both sides come to the same words."""

from __future__ import annotations

import random

import pytest

from integrations.canonical import Value
from integrations.engine.effects import UpdateTicket
from integrations.engine.texts import as_bases
from integrations.models import Delivery, FieldRule, MappingSet
from integrations.richtext.blocks import (
    Block,
    Cell,
    Document,
    Mention,
    Panel,
    Paragraph,
    Run,
    Table,
    from_plain,
    from_value,
)
from integrations.richtext.words import words_of
from integrations.services.timeline.fates import losses_of
from tests.integrations.engine.fakes import FakeSystem
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db


def p(text: str) -> Paragraph:
    return Paragraph((Run(text),))


def text(*blocks: Block | str) -> dict:
    return Document(tuple(p(one) if isinstance(one, str) else one for one in blocks)).as_value()


BOX = Panel("warning", (p("Do not touch."),))
TABLE = Table(((Cell((p("Floor"),), True), Cell((p("State"),), True)), (Cell((p("2"),)), Cell((p("hot"),)))))
CALL = Paragraph((Run("Call "), Mention("Ann Lee", "712020:ann"), Run(" first.")))


class PlainText(FakeSystem):
    """A system whose texts are words alone: no boxes, tables or people."""

    def settled(self, field_name: str, value: Value) -> Value:
        if field_name not in ("description", "comment"):
            return value
        parts = (Document((block,)).plain() for block in from_value(value).blocks)
        return from_plain("\n\n".join(parts)).as_value()

    def _set(self, id_, fields, by, marker):  # type: ignore[no-untyped-def]
        return super()._set(id_, {name: self.settled(name, one) for name, one in fields.items()}, by, marker)

    def _create(self, fields, marker, by):  # type: ignore[no-untyped-def]
        return super()._create({name: self.settled(name, one) for name, one in fields.items()}, marker, by)


def world_with_texts(*, seed: int = 1) -> World:
    """Both sides exchange their descriptions; the desk holds less of a text than the board."""
    world = World(seed=seed)
    world.desk.__class__ = PlainText
    FieldRule.objects.bulk_create(
        FieldRule(mapping_set=one, source="description", target="description", transform="copy")
        for one in MappingSet.objects.all()
    )
    return world


def begun(*blocks: Block | str, seed: int = 1) -> tuple[World, str, str]:
    """A ticket of the desk, and its twin on the board with this text, which the desk holds as it can."""
    world = world_with_texts(seed=seed)
    raised = world.desk.person_creates(subject="one", status="open", description=text("First."))
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.person_sets(twin, description=text(*blocks))
    world.run()
    return world, raised, twin


def blocks_of(system: FakeSystem, id_: str) -> list[Block]:
    return list(from_value(system.tickets[id_].fields["description"]).blocks)


def edited(system: FakeSystem, id_: str, old: str, new: str) -> dict:
    """The system's own text with one paragraph written anew."""
    return text(*(p(new) if block == p(old) else block for block in blocks_of(system, id_)))


def test_one_edited_paragraph_changes_one_paragraph_and_leaves_the_receivers_own_alone() -> None:
    world, raised, twin = begun("The printer burns.", BOX, CALL, TABLE, "Thanks.")
    assert not {type(block) for block in blocks_of(world.desk, raised)} - {Paragraph}

    world.desk.person_sets(raised, description=edited(world.desk, raised, "Thanks.", "Thank you all."))
    world.run()

    assert blocks_of(world.board, twin) == [p("The printer burns."), BOX, CALL, TABLE, p("Thank you all.")]
    assert world.waiting() == []


def test_an_edit_on_the_side_that_holds_more_changes_one_paragraph_on_the_other() -> None:
    world, raised, twin = begun("The printer burns.", BOX, "Thanks.")
    before = blocks_of(world.desk, raised)

    world.board.person_sets(twin, description=edited(world.board, twin, "Thanks.", "Thank you all."))
    world.run()

    assert blocks_of(world.desk, raised) == [*before[:-1], p("Thank you all.")]


def test_edits_of_different_paragraphs_at_the_same_time_are_both_kept() -> None:
    world, raised, twin = begun("One.", BOX, "Two.", "Three.")

    world.desk.person_sets(raised, description=edited(world.desk, raised, "One.", "One of the desk."))
    world.clock.advance(1)
    world.board.person_sets(twin, description=edited(world.board, twin, "Three.", "Three of the board."))
    world.run()

    assert blocks_of(world.board, twin) == [p("One of the desk."), BOX, p("Two."), p("Three of the board.")]
    assert words_of(blocks_of(world.desk, raised)) == words_of(blocks_of(world.board, twin))


@pytest.mark.parametrize("board_is_later", [True, False])
def test_of_the_same_paragraph_the_newer_edit_stands_on_both_sides(board_is_later: bool) -> None:
    world, raised, twin = begun("One.", BOX, "Two.")
    on_desk = edited(world.desk, raised, "One.", "One of the desk.")
    on_board = edited(world.board, twin, "One.", "One of the board.")

    if board_is_later:
        world.desk.person_sets(raised, description=on_desk)
        world.clock.advance(1)
        world.board.person_sets(twin, description=on_board)
    else:
        world.board.person_sets(twin, description=on_board)
        world.clock.advance(1)
        world.desk.person_sets(raised, description=on_desk)
    world.run()

    newer = "One of the board." if board_is_later else "One of the desk."
    assert blocks_of(world.board, twin) == [p(newer), BOX, p("Two.")]
    assert words_of(blocks_of(world.desk, raised)) == words_of(blocks_of(world.board, twin))


def test_an_edit_between_our_look_and_our_write_is_put_back_into_the_text() -> None:
    world, raised, twin = begun("One.", BOX, "Two.", "Three.")

    def edit_now(effect: object) -> bool:
        if isinstance(effect, UpdateTicket) and effect.system_id == world.board_row.pk:
            world.kill_before = lambda later: False
            world.board.person_sets(twin, description=edited(world.board, twin, "Two.", "Two of the board."))
        return False

    world.kill_before = edit_now
    world.desk.person_sets(raised, description=edited(world.desk, raised, "One.", "One of the desk."))
    world.run()

    assert blocks_of(world.board, twin) == [p("One of the desk."), BOX, p("Two of the board."), p("Three.")]
    assert words_of(blocks_of(world.desk, raised)) == words_of(blocks_of(world.board, twin))


def test_a_merged_text_does_not_come_back() -> None:
    world, raised, twin = begun("One.", BOX, CALL, "Two.")
    world.desk.person_sets(raised, description=edited(world.desk, raised, "One.", "One of the desk."))
    world.run()
    made = Delivery.objects.count()
    calls = [len(writes(system.calls)) for system in (world.desk, world.board)]

    for system, id_ in ((world.desk_row, raised), (world.board_row, twin)):
        world.hint(system, id_)
    world.run(hours=6)

    assert Delivery.objects.count() == made
    assert [len(writes(system.calls)) for system in (world.desk, world.board)] == calls


def test_only_texts_that_were_released_and_changed_have_a_base() -> None:
    before = {"description": text("a"), "note": text("same"), "title": "a"}
    after = {"description": text("b"), "note": text("same"), "title": "b", "more": text("new")}
    assert as_bases(before, after) == {"base": {"description": text("a")}}
    assert as_bases(before, {"title": "b"}) == {}


FAULTS = ["503", "429", "lost_before", "lost_after", "late"]


@pytest.mark.parametrize("seed", range(16))
def test_edits_at_random_on_both_sides_end_in_the_same_words(seed: int) -> None:
    chance = random.Random(seed)
    world, raised, twin = begun("One.", BOX, "Two.", CALL, "Three.", TABLE, "Four.", seed=seed)
    world.board.gives_markers = seed % 2 == 0
    for system in (world.desk, world.board):
        system.faults.extend(chance.choices([None, *FAULTS], weights=[6, 1, 1, 1, 1, 1], k=8))
    left = [5]

    def kill(effect: object) -> bool:
        if left[0] and chance.random() < 0.05:
            left[0] -= 1
            return True
        return False

    world.kill_before = world.kill_after = kill
    for number in range(8):
        system, id_ = chance.choice([(world.desk, raised), (world.board, twin)])
        own = blocks_of(system, id_)
        at = chance.randrange(len(own))
        match chance.choice(["edit", "edit", "edit", "add", "drop"]):
            case "edit" if isinstance(own[at], Paragraph):
                own[at] = p(f"Edit {number} of {system.name}, which says enough to be known again.")
            case "add":
                own.insert(at, p(f"Addition {number} of {system.name}."))
            case "drop" if isinstance(own[at], Paragraph):
                del own[at]
        system.person_sets(id_, description=text(*own))
        if chance.random() < 0.5:
            world.clock.advance(1)
        else:
            for _ in range(chance.randrange(6)):
                world.clock.advance(1)
                world.step()
    world.run(hours=6)

    assert world.waiting() == []
    assert words_of(blocks_of(world.desk, raised)) == words_of(blocks_of(world.board, twin))


def test_what_a_comment_loses_on_its_way_is_told_with_its_delivery() -> None:
    world, _, twin = begun("One.")
    world.board.person_comments(twin, "Plain words.")
    world.board._comment(twin, text("Look:", TABLE), "Jo", True, "")
    world.run()
    told = [losses_of(one) for one in Delivery.objects.filter(operation="comment").order_by("pk")]
    assert told[0] == ()
    assert "A table was taken apart." in told[1]
