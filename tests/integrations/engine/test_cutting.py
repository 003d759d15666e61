"""A text that is longer than the other side takes: cut where everybody sees it, told, and whole again where it came from."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from integrations.canonical import Value
from integrations.models import Delivery, FieldRule, MappingSet
from integrations.richtext.blocks import Block, CodeBlock, Document, Paragraph, Run, from_value
from integrations.richtext.cutting import LINE_MARK, MARK, fitted, fitted_line
from integrations.richtext.losses import CUT
from integrations.services.timeline.fates import losses_of
from tests.integrations.engine.fakes import FakeSystem
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db

LIMIT, LINE_LIMIT = 400, 40


def p(text: str) -> Paragraph:
    return Paragraph((Run(text),))


def text(*blocks: Block | str) -> dict:
    return Document(tuple(p(one) if isinstance(one, str) else one for one in blocks)).as_value()


def _size(blocks: tuple[Block, ...]) -> int:
    return sum(len(Document((block,)).plain()) + 1 for block in blocks)


class Short(FakeSystem):
    """A system that takes no long texts."""

    def settled(self, field_name: str, value: Value) -> Value:
        if field_name in ("description", "comment"):
            return fitted(from_value(value), _size, LIMIT).as_value()
        return fitted_line(value, LINE_LIMIT) if field_name == "summary" else value  # type: ignore[arg-type]

    def _set(self, id_, fields, by, marker):  # type: ignore[no-untyped-def]
        return super()._set(id_, {name: self.settled(name, one) for name, one in fields.items()}, by, marker)

    def _create(self, fields, marker, by):  # type: ignore[no-untyped-def]
        return super()._create({name: self.settled(name, one) for name, one in fields.items()}, marker, by)


LONG = [f"Paragraph {number} of what happened, in many words, one after the other." for number in range(12)]


def begun(*blocks: Block | str, subject: str = "one", never: Sequence[str] = ()) -> tuple[World, str, str]:
    """A ticket of the desk with this text, and its twin on the board, which takes short ones alone."""
    world = World()
    world.board.__class__ = Short
    MappingSet.objects.filter(direction="incoming").update(files_never=list(never))
    FieldRule.objects.bulk_create(
        FieldRule(mapping_set=one, source="description", target="description", transform="copy")
        for one in MappingSet.objects.all()
    )
    raised = world.desk.person_creates(subject=subject, status="open", description=text(*blocks))
    world.run()
    return world, raised, world.twin(world.desk_row, raised)


def lines(system: FakeSystem, id_: str) -> list[str]:
    return [Document((one,)).plain() for one in from_value(system.tickets[id_].fields["description"]).blocks]


def edited(system: FakeSystem, id_: str, old: str, new: str) -> dict:
    return text(*(line.replace(old, new) for line in lines(system, id_)))


def told() -> list[tuple[str, tuple[str, ...]]]:
    deliveries = Delivery.objects.select_related("lane__system").order_by("pk")
    return [(one.operation, losses_of(one)) for one in deliveries if losses_of(one)]


def is_settled(world: World, calls: int) -> bool:
    """Nothing waits, and nothing more is written by itself."""
    return world.waiting() == [] and calls == len(world.desk.calls) + len(world.board.calls)


def test_a_long_description_is_cut_between_paragraphs_told_and_follows_as_a_file() -> None:
    world, raised, twin = begun(*LONG)

    assert lines(world.board, twin) == [*LONG[:4], MARK]
    assert told() == [("create", (f"Description: {CUT}",))]
    assert world.board.contents(twin) == {
        "Whole text of description.txt": ("\n".join(LONG) + "\n").encode(),
    }
    assert lines(world.desk, raised) == LONG
    assert world.desk.contents(raised) == {}
    assert world.waiting() == []


def test_an_edit_of_the_cut_text_changes_one_paragraph_of_the_whole_one() -> None:
    world, raised, twin = begun(*LONG)

    world.board.person_sets(twin, description=edited(world.board, twin, "Paragraph 2", "The second"))
    world.run()

    whole = [line.replace("Paragraph 2", "The second") for line in LONG]
    assert lines(world.desk, raised) == whole
    assert lines(world.board, twin) == [*whole[:4], MARK]
    calls = len(world.desk.calls) + len(world.board.calls)
    world.run()
    assert is_settled(world, calls)


def test_an_edit_of_the_last_paragraph_that_is_shown_keeps_what_follows_it() -> None:
    world, raised, twin = begun(*LONG)

    world.board.person_sets(twin, description=edited(world.board, twin, "Paragraph 3", "The third"))
    world.run()

    assert lines(world.desk, raised) == [line.replace("Paragraph 3", "The third") for line in LONG]


def test_a_mark_that_somebody_took_away_takes_nothing_from_the_whole_text() -> None:
    world, raised, twin = begun(*LONG)

    world.board.person_sets(twin, description=text(*LONG[:4], "Added."))
    world.run()

    assert lines(world.desk, raised) == [*LONG[:4], "Added.", *LONG[4:]]


def test_an_edit_of_a_later_paragraph_writes_nothing_but_the_whole_text_anew() -> None:
    world, raised, twin = begun(*LONG)
    before = lines(world.board, twin)

    world.desk.person_sets(raised, description=edited(world.desk, raised, "Paragraph 9", "The ninth"))
    world.run()

    assert lines(world.board, twin) == before
    whole = [line.replace("Paragraph 9", "The ninth") for line in LONG]
    assert lines(world.desk, raised) == whole
    assert set(world.board.contents(twin).values()) == {("\n".join(whole) + "\n").encode()}
    assert world.waiting() == []


def test_edits_of_both_sides_meet_in_the_whole_text() -> None:
    world, raised, twin = begun(*LONG)

    world.desk.person_sets(raised, description=edited(world.desk, raised, "Paragraph 9", "The ninth"))
    world.clock.advance(1)
    world.board.person_sets(twin, description=edited(world.board, twin, "Paragraph 1 ", "The first "))
    world.run()

    whole = [line.replace("Paragraph 9", "The ninth").replace("Paragraph 1 ", "The first ") for line in LONG]
    assert lines(world.desk, raised) == whole
    assert lines(world.board, twin) == [*whole[:4], MARK]
    assert world.waiting() == []


def test_a_text_that_became_short_enough_loses_its_mark() -> None:
    world, raised, twin = begun(*LONG)

    world.desk.person_sets(raised, description=text(*LONG[:2]))
    world.run()

    assert lines(world.board, twin) == LONG[:2]
    assert lines(world.desk, raised) == LONG[:2]


def test_a_log_of_one_block_is_cut_between_words_and_an_edit_of_it_keeps_its_end() -> None:
    log = CodeBlock(" ".join(f"line{number}" for number in range(200)))
    world, raised, twin = begun(log)
    shown, mark = lines(world.board, twin)
    assert mark == MARK
    assert log.text.startswith(shown + " ")

    blocks = from_value(world.board.tickets[twin].fields["description"]).blocks
    edited_log = CodeBlock(blocks[0].text.replace("line7 ", "LINE "))  # type: ignore[union-attr]
    world.board.person_sets(twin, description=text(edited_log, *blocks[1:]))
    world.run()

    assert lines(world.desk, raised) == [log.text.replace("line7 ", "LINE ")]


def test_a_long_title_is_cut_with_a_mark_and_an_edit_of_it_keeps_its_end() -> None:
    title = "The printer on the second floor of the old building burns"
    world, raised, twin = begun("First.", subject=title)
    cut = world.board.tickets[twin].fields["summary"]
    assert cut == f"The printer on the second floor{LINE_MARK}"
    assert world.desk.tickets[raised].fields["subject"] == title

    world.board.person_sets(twin, summary=str(cut).replace("printer", "plotter"))
    world.run()

    assert world.desk.tickets[raised].fields["subject"] == title.replace("printer", "plotter")
    assert world.waiting() == []


def test_a_long_comment_is_cut_told_and_followed_by_its_whole_text() -> None:
    world, raised, twin = begun("First.")

    world.desk._comment(raised, text(*LONG), "Mina", True, "")
    world.run()

    assert world.board.texts(twin)[0].endswith(MARK)
    assert told() == [("comment", (CUT,))]
    assert world.board.contents(twin) == {
        "Whole text of comment.txt": ("\n".join(LONG) + "\n").encode(),
    }


def test_where_such_files_are_not_taken_only_the_mark_says_where_the_text_is() -> None:
    world, raised, twin = begun("First.", never=[".txt"])

    world.desk._comment(raised, text(*LONG), "Mina", True, "")
    world.run()

    assert world.board.texts(twin)[0].endswith(MARK)
    assert world.board.contents(twin) == {}
    assert world.waiting() == []
