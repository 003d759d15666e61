"""A text edited on one side changes only that part on the other."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    File,
    Heading,
    Item,
    LineBreak,
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
)
from integrations.richtext.html import from_html, to_html
from integrations.richtext.merge import Merged, dressed, merge, merge_newest
from integrations.richtext.words import words_of
from tests.integrations.richtext.documents import DOCUMENTS
from tests.integrations.richtext.work import grows_with_size


def p(*words: str) -> Paragraph:
    return Paragraph(tuple(Run(word) for word in words))


def doc(*blocks: Block | str) -> Document:
    return Document(tuple(p(block) if isinstance(block, str) else block for block in blocks))


def table(*rows: tuple[str, ...]) -> Table:
    return Table(tuple(tuple(Cell((p(word),)) for word in row) for row in rows))


# What one side holds with everything that the other cannot, and how it looks over there.
ANN = Mention("Ann Lee", "712020:ann")
OWN = doc(
    Heading(2, (Run("Outage"),)),
    "The printer burns.",
    Panel("warning", (p("Do not touch."), p("It is hot."))),
    Paragraph((Run("Call "), ANN, Run(" first."))),
    Table(((Cell((p("Floor"),), True), Cell((p("State"),), True)), (Cell((p("2"),)), Cell((p("on fire"),))))),
    CodeBlock("ping printer", "bash"),
    File("fire.png"),
    "Thanks.",
)
THERE = from_html(to_html(OWN))


def edited(document: Document, at: int, *instead: Block) -> Document:
    return Document((*document.blocks[:at], *instead, *document.blocks[at + 1 :]))


# --- One edit ---


def test_the_other_side_really_holds_less_than_ours() -> None:
    assert words_of(THERE.blocks) == words_of(OWN.blocks)
    assert [at for at, block in enumerate(OWN.blocks) if THERE.blocks[at] != block] == [3, 5]


def test_one_edited_paragraph_changes_one_paragraph_and_leaves_all_else_alone() -> None:
    incoming = edited(THERE, 1, p("The printer only smokes."))
    assert merge(THERE, incoming, OWN) == Merged(edited(OWN, 1, p("The printer only smokes.")))


def test_an_edited_paragraph_keeps_the_people_it_still_names() -> None:
    incoming = edited(THERE, 3, p("Call @Ann Lee at once, not @Ann Leeds."))
    kept = Paragraph((Run("Call "), ANN, Run(" at once, not @Ann Leeds.")))
    assert merge(THERE, incoming, OWN) == Merged(edited(OWN, 3, kept))


def test_an_edit_inside_a_box_changes_one_paragraph_of_it() -> None:
    box = Panel("warning", (p("Do not touch."), p("It is very hot.")))
    assert merge(THERE, edited(THERE, 2, box), OWN) == Merged(edited(OWN, 2, box))


def test_an_edited_cell_leaves_the_others_alone() -> None:
    base = doc(table(("Ann", "2"), ("Bo", "3")))
    incoming = doc(table(("Ann", "2"), ("Bo", "4")))
    own = doc(Table(((Cell((Paragraph((ANN,)),)), Cell((p("2"),))), (Cell((p("Bo"),)), Cell((p("3"),))))))
    first = merge(doc(table(("@Ann Lee", "2"), ("Bo", "3"))), doc(table(("@Ann Lee", "2"), ("Bo", "4"))), own)
    assert first.document.blocks == (
        Table(((Cell((Paragraph((ANN,)),)), Cell((p("2"),))), (Cell((p("Bo"),)), Cell((p("4"),))))),
    )
    assert merge(base, incoming, base) == Merged(incoming)


def test_a_new_row_joins_the_table() -> None:
    own = doc(Table(((Cell((p("Floor"),), True),), (Cell((p("2"),)),))))
    base, incoming = doc(table(("Floor",), ("2",))), doc(table(("Floor",), ("2",), ("3",)))
    assert merge(base, incoming, own).document == doc(
        Table(((Cell((p("Floor"),), True),), (Cell((p("2"),)),), (Cell((p("3"),)),)))
    )


def test_a_ticked_task_is_ticked_and_its_words_stay_ours() -> None:
    def tasks(first: bool, who: Block) -> Document:
        return doc(BulletList((Item((p("Unplug it"),), first), Item((who,), False))))

    own = tasks(False, Paragraph((ANN, Run(" comes"))))
    merged = merge(tasks(False, p("@Ann Lee comes")), tasks(True, p("@Ann Lee comes")), own)
    assert merged == Merged(tasks(True, Paragraph((ANN, Run(" comes")))))


def test_a_box_that_was_a_quotation_over_there_stays_a_box() -> None:
    own = doc(Panel("error", (p("one"), p("two"))))
    merged = merge(doc(Quote((p("one"), p("two")))), doc(Quote((p("one"), p("2")))), own)
    assert merged == Merged(doc(Panel("error", (p("one"), p("2")))))


def test_a_heading_that_was_bold_words_over_there_stays_a_heading() -> None:
    own = doc(Heading(3, (Run("Plan"),)))
    base = doc(Paragraph((Run("Plan", ("bold",)),)))
    incoming = doc(Paragraph((Run("New plan", ("bold",)),)))
    assert merge(base, incoming, own).document == doc(Heading(3, (Run("New plan", ("bold",)),)))


def test_the_language_of_code_survives_an_edit_of_the_code() -> None:
    incoming = edited(THERE, 5, CodeBlock("ping -c 3 printer"))
    assert merge(THERE, incoming, OWN).document == edited(OWN, 5, CodeBlock("ping -c 3 printer", "bash"))


def test_a_change_of_letters_alone_is_an_edit_too() -> None:
    bold = Paragraph((Run("The printer burns.", ("bold",)),))
    assert merge(THERE, edited(THERE, 1, bold), OWN) == Merged(edited(OWN, 1, bold))


# --- Added and taken away ---


def test_added_paragraphs_come_where_they_were_added() -> None:
    base, own = doc("a one", "b two", "c three"), doc("a one", "b two", Rule(), "c three")
    for at, expected in (
        (0, ("new", "a one", "b two", Rule(), "c three")),
        (1, ("a one", "new", "b two", Rule(), "c three")),
        (2, ("a one", "b two", "new", Rule(), "c three")),
        (3, ("a one", "b two", Rule(), "c three", "new")),
    ):
        incoming = Document((*base.blocks[:at], p("new"), *base.blocks[at:]))
        found = merge(base, incoming, own).document
        # Beside an addition of their own either order is right.
        assert sorted(map(repr, found.blocks)) == sorted(map(repr, doc(*expected).blocks))
        assert [block for block in found.blocks if block != Rule()] == [
            block for block in doc(*expected).blocks if block != Rule()
        ]


def test_a_paragraph_taken_away_is_taken_away() -> None:
    incoming = Document((*THERE.blocks[:1], *THERE.blocks[2:]))
    assert merge(THERE, incoming, OWN) == Merged(Document((*OWN.blocks[:1], *OWN.blocks[2:])))


def test_what_the_other_side_added_for_itself_stays() -> None:
    own = doc("ours: seen by Bo", "a one", "b two", "ours: third floor")
    merged = merge(doc("a one", "b two"), doc("a one", "b 2 two"), own)
    assert merged == Merged(doc("ours: seen by Bo", "a one", "b 2 two", "ours: third floor"))


def test_an_own_addition_beside_the_edited_paragraph_stays() -> None:
    own = doc("the printer burns badly", "ours: seen by Bo")
    merged = merge(doc("the printer burns badly"), doc("the printer smokes badly"), own)
    assert merged == Merged(doc("the printer smokes badly", "ours: seen by Bo"))


def test_the_same_edit_carried_twice_changes_nothing_more() -> None:
    incoming = Document((*edited(THERE, 1, p("It only smokes now.")).blocks, p("One more thing.")))
    once = merge(THERE, incoming, OWN)
    assert merge(THERE, incoming, once.document) == once


# --- Both sides ---


def test_edits_of_different_paragraphs_are_both_there() -> None:
    base = doc("one apple", "two pears", "three plums")
    merged = merge(base, doc("one apple", "two pears", "3 plums"), doc("1 apple", "two pears", "three plums"))
    assert merged == Merged(doc("1 apple", "two pears", "3 plums"))


def test_edits_of_the_same_paragraph_take_the_incoming_one_and_tell_of_the_other() -> None:
    merged = merge(doc("two pears"), doc("two green pears"), doc("two ripe pears"))
    assert merged == Merged(doc("two green pears"), (p("two ripe pears"),))


def test_edits_of_the_same_paragraph_of_a_box_are_told_too() -> None:
    def box(words: str) -> Document:
        return doc("above", Panel("info", (p("first"), p(words))))

    merged = merge(box("two pears"), box("two green pears"), box("two ripe pears"))
    assert merged == Merged(box("two green pears"), (p("two ripe pears"),))


def test_the_same_edit_on_both_sides_is_no_conflict() -> None:
    assert merge(doc("a", "b"), doc("a", "c"), doc("a", "c")) == Merged(doc("a", "c"))


def test_what_one_side_took_away_and_the_other_edited_is_kept() -> None:
    base = doc("one apple", "two pears")
    assert merge(base, doc("one apple"), doc("one apple", "two ripe pears")) == Merged(
        doc("one apple", "two ripe pears")
    )
    assert merge(base, doc("one apple", "two ripe pears"), doc("one apple")) == Merged(
        doc("one apple", "two ripe pears")
    )


def test_what_was_taken_away_here_and_left_alone_there_stays_away() -> None:
    base = doc("one apple", "two pears")
    assert merge(base, doc("1 apple", "two pears"), doc("one apple")) == Merged(doc("1 apple"))


# --- Laws ---


@given(DOCUMENTS, DOCUMENTS)
def test_without_an_edit_nothing_changes(base: Document, current: Document) -> None:
    assert merge(base, base, current) == Merged(current)


@given(DOCUMENTS, DOCUMENTS)
def test_where_nobody_else_wrote_the_incoming_text_is_taken_as_it_is(
    base: Document, incoming: Document
) -> None:
    assert merge(base, incoming, base) == Merged(incoming)


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_there_already_stays(base: Document, incoming: Document) -> None:
    assert merge(base, incoming, incoming) == Merged(incoming)


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_no_edit_of_anybody_is_lost_without_being_told(
    base: Document, incoming: Document, current: Document
) -> None:
    """Every word that is in neither the base nor the result was overruled, or is of a part that was taken away."""
    merged = merge(base, incoming, current)
    found = set(words_of(merged.document.blocks)) | set(words_of(merged.overruled))
    assert set(words_of(incoming.blocks)) - set(words_of(base.blocks)) <= found
    assert set(words_of(current.blocks)) - set(words_of(base.blocks)) <= found


NAMES = st.sampled_from(["one", "two", "three", "four"])
LINES = st.lists(st.lists(NAMES, min_size=1, max_size=3).map(" ".join), max_size=6)


@given(LINES, LINES, LINES)
def test_lines_that_repeat_are_neither_doubled_nor_lost(
    base: list[str], incoming: list[str], current: list[str]
) -> None:
    documents = [doc(*one) for one in (base, incoming, current)]
    blocks = merge(*documents).document.blocks
    added = (Counter(incoming) - Counter(base)) | (Counter(current) - Counter(base))
    assert len(blocks) <= len(incoming) + len(current)
    assert {*doc(*added).blocks} <= {*blocks, *merge(*documents).overruled}


# --- What it costs ---


def test_a_long_text_costs_no_more_than_its_length() -> None:
    def lines(count: int, what: str) -> tuple[Block, ...]:
        return tuple(p(f"line {number} {what if number % 10 == 0 else 'same'}") for number in range(count))

    def do(count: int):  # type: ignore[no-untyped-def]
        base, incoming, current = (Document(lines(count, what)) for what in ("a", "b", "c"))
        return lambda: merge(base, incoming, current)

    assert grows_with_size(do, 200)


def test_texts_with_nothing_or_everything_in_common_cost_no_more_either() -> None:
    def strangers(count: int):  # type: ignore[no-untyped-def]
        one, two, three = (
            Document(tuple(p(f"{name}{number}") for number in range(count))) for name in ("a", "b", "c")
        )
        return lambda: merge(one, two, three)

    def twins(count: int):  # type: ignore[no-untyped-def]
        base, more = doc(*["same"] * count), doc(*["same"] * (count + 5))
        return lambda: merge(base, more, base)

    assert grows_with_size(strangers, 300)
    assert grows_with_size(twins, 300)


def test_very_many_names_in_one_paragraph_cost_no_more_than_their_number() -> None:
    def do(count: int):  # type: ignore[no-untyped-def]
        people = tuple(Mention(f"Person {number}") for number in range(count))
        text = " ".join(f"@Person {number}" for number in range(count))
        base, incoming = doc(text), doc(text + " all")
        return lambda: merge(base, incoming, Document((Paragraph(people),)))

    assert grows_with_size(do, 50)


def test_a_list_of_lists_is_merged_at_any_depth() -> None:
    def nested(words: str, depth: int) -> Block:
        block: Block = Paragraph((Run(words), LineBreak(), Run("end")))
        for number in range(depth):
            block = OrderedList((Item((p(f"level {number}"), block)),), 3)
        return block

    merged = merge(doc(nested("a b", 15)), doc(nested("a c", 15)), doc(nested("a b", 15), Rule()))
    assert merged == Merged(doc(nested("a c", 15), Rule()))


def test_of_two_edits_of_one_paragraph_the_newer_stands_and_the_older_is_told() -> None:
    base, incoming, current = doc("a b c", "x"), doc("a b new", "x"), doc("a b old", "x")
    assert merge_newest(base, incoming, current, incoming_is_newer=True) == Merged(incoming, (p("a b old"),))
    assert merge_newest(base, incoming, current, incoming_is_newer=False) == Merged(current, (p("a b new"),))


def test_additions_at_the_same_place_have_the_same_order_on_both_sides() -> None:
    base, one, other = doc("a"), doc("a", "of one"), doc("a", "of the other")
    here = merge_newest(base, one, other, incoming_is_newer=True)
    there = merge_newest(base, other, one, incoming_is_newer=False)
    assert here.document == there.document
    assert Counter(here.document.blocks) == Counter(doc("a", "of one", "of the other").blocks)


def test_a_text_taken_as_a_whole_keeps_the_other_sides_own_blocks_where_they_say_the_same() -> None:
    incoming = doc("The printer smokes.", *THERE.blocks[2:])
    assert dressed(incoming, OWN) == doc("The printer smokes.", *OWN.blocks[2:])
