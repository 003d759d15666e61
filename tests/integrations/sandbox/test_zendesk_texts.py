"""How Zendesk keeps a comment's text."""

from __future__ import annotations

import pytest

from integrations.sandbox.zendesk import texts

OPEN, CLOSE = '<div class="zd-comment" dir="auto">', "</div>"


@pytest.mark.parametrize(
    ("written", "body", "html"),
    [
        ("Hello", "Hello", '<p dir="auto">Hello</p>'),
        (
            "One\ntwo\n\nthree",
            "One\ntwo\n\nthree",
            '<p dir="auto">One\n<br>two</p>\n\n<p dir="auto">three</p>',
        ),
        ("  a   b \n\n\n\n c", "a b\n\nc", '<p dir="auto">a b</p>\n\n<p dir="auto">c</p>'),
        (
            "a **b** _c_ `d`",
            "a **b** _c_ `d`",
            '<p dir="auto">a <strong>b</strong> <em>c</em> <code>d</code></p>',
        ),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4", '<p dir="auto">snake_case_name 2*3*4</p>'),
        ("1 < 2 & 3", "1 < 2 & 3", '<p dir="auto">1 &lt; 2 &amp; 3</p>'),
        ("<b>bold</b> words", "bold words", '<p dir="auto">bold words</p>'),
    ],
)
def test_a_body_is_collapsed_and_read_as_markdown(written: str, body: str, html: str) -> None:
    made = texts.from_body(written, is_agent=True)

    assert (made.body, made.html_body) == (body, OPEN + html + CLOSE)


def test_an_end_users_body_is_no_markdown() -> None:
    assert texts.from_body("a **b**", is_agent=False).html_body == f'{OPEN}<p dir="auto">a **b**</p>{CLOSE}'


@pytest.mark.parametrize(
    ("written", "body", "html"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo", '<p dir="auto">One</p><p dir="auto">Two</p>'),
        ("a<br>b", "a\nb", "a<br>b"),
        ("<ul><li>x<li>y</ul>", "- x\n- y", '<ul dir="auto"><li>x<li>y</li></li></ul>'),
        ("<script>alert(1)</script>safe", "safe", "safe"),
        ("<img src=x onerror=alert(1)>", "", "<img>"),
        ('<a href="javascript:alert(1)" onclick="x">y</a>', "y", "<a>y</a>"),
        ('<a href="https://a.example/?b=1&amp;c">y</a>', "y", '<a href="https://a.example/?b=1&amp;c">y</a>'),
        ("<p>not closed <b>at all", "not closed at all", '<p dir="auto">not closed <b>at all</b></p>'),
        ("<pre>a  b\n c</pre>", "a b\nc", "<pre>a  b\n c</pre>"),
        ("&lt;b&gt; &amp;amp;", "<b> &amp;", "&lt;b&gt; &amp;amp;"),
    ],
)
def test_html_is_cleaned(written: str, body: str, html: str) -> None:
    made = texts.from_html(written)

    assert (made.body, made.html_body) == (body, OPEN + html + CLOSE)


def test_a_long_text_is_cut_without_a_word() -> None:
    made = texts.from_body("ä" * 40_000, is_agent=True)

    assert (len(made.body), len(made.body.encode())) == (32_768, texts.MAX_BYTES)


def test_placeholders_are_run_unless_escaped() -> None:
    made = texts.from_body("{{ticket.id}} \\{{a}} \\\\{{b}} {{ {{c}}", is_agent=True)

    assert (made.body, made.placeholders) == ("{{a}} {{b}}", ("ticket.id", "{{c"))
