"""A text written into a field's own HTML leaves the elements alone that say the same already."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from integrations.richtext.blocks import Document, Paragraph, Run, from_plain
from integrations.richtext.html import from_html, to_html
from integrations.richtext.html_patch import patched

RED = '<p style="color:red">The printer burns.</p>'
PERSON = '<p>Ask <a href="#" data-vss-mention="version:2.0,ann">@Ann Lee</a>.</p>'
TABLE = '<table style="width:90%"><tbody><tr><td style="background:#eee">Floor</td><td>2</td></tr></tbody></table>'


def edited(own: str, old: str, new: str) -> str:
    """The own HTML after the words were changed in what our model has of it."""
    return patched(own, from_html(to_html(from_html(own)).replace(old, new)))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (RED + PERSON + TABLE + "<p>Thanks.</p>", RED + PERSON + TABLE + "<p>Thank you.</p>"),
        # As the web editor stores it: lines in boxes, with one box around all of them.
        (
            f"<div>{RED}<div><br></div>{TABLE}<div>Thanks.<br></div></div>",
            f"<div>{RED}<div><br></div>{TABLE}<p>Thank you.</p></div>",
        ),
        (f'<span style="x">Words</span> &amp; more.\n{RED}<p>Thanks.</p>', None),
        # Not closed as it was opened: written anew.
        (
            f"<b><p>Odd.</b></p>{RED}<p>Thanks.</p>",
            "<p><strong>Odd.</strong></p><p>The printer burns.</p><p>Thank you.</p>",
        ),
    ],
)
def test_an_edit_of_one_paragraph_leaves_the_others_markup_alone(own: str, expected: str | None) -> None:
    told = edited(own, "Thanks.", "Thank you.")
    assert told == (own.replace("Thanks.", "Thank you.") if expected is None else expected)


def test_paragraphs_are_added_and_taken_away_around_own_markup() -> None:
    wanted = [Paragraph((Run(text),)) for text in ("First.", "The printer burns.", "Last.")]
    own = f"<p>Old.</p>{RED}<p>Older.</p>"
    assert patched(own, Document(tuple(wanted))) == f"<p>First.</p>{RED}<p>Last.</p>"


def test_a_text_that_says_the_same_is_not_touched() -> None:
    own = f'<div class="x">{RED}{PERSON}</div>'
    assert patched(own, from_html(own)) == own


@given(strategies.text("<>/divpbr& ;a", max_size=60), strategies.text("ab\n", max_size=20))
def test_whatever_stands_there_the_field_says_what_was_wanted(own: str, text: str) -> None:
    wanted = from_plain(text)
    assert from_html(patched(own, wanted)).as_value() == from_html(to_html(wanted)).as_value()


def test_one_paragraph_of_five_thousand_is_changed() -> None:
    own = "".join(f'<p class="c{number}">Paragraph {number}.</p>' for number in range(5_000))
    assert edited(own, "Paragraph 4321.", "Changed.") == own.replace(
        '<p class="c4321">Paragraph 4321.</p>', "<p>Changed.</p>"
    )
