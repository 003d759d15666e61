"""Markdown becomes HTML that cannot harm the next reader."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from knowledgebase.rendering import TAGS, render_markdown


class Tags(HTMLParser):
    """Collects what a browser would take for tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("A **bold** word", "<p>A <strong>bold</strong> word</p>\n"),
        ("1. One\n2. Two", "<ol>\n<li>One</li>\n<li>Two</li>\n</ol>\n"),
        ("# Top\n\n## Below", "<h3>Top</h3>\n<h4>Below</h4>\n"),
        ("`rm -rf` and ~~old~~", "<p><code>rm -rf</code> and <s>old</s></p>\n"),
        (
            "[help](https://example.com/?a=1&b=2)",
            '<p><a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer nofollow">help</a></p>\n',
        ),
    ],
)
def test_ordinary_markdown(text: str, html: str) -> None:
    assert render_markdown(text) == html


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![](https://spy.example/pixel.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        '<a href="https://a" onclick="alert(1)">x</a>',
        "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
        "<style>body{display:none}</style>",
        '[x](https://a "\\" onmouseover=alert(1) ")',
    ],
)
def test_nothing_that_runs_or_calls_home_comes_through(attack: str) -> None:
    found = Tags()
    found.feed(render_markdown(attack))

    assert found.tags <= TAGS
    assert {name for name, _ in found.attributes} <= {"href", "title", "rel"}
    assert all(value.startswith("https://") for name, value in found.attributes if name == "href")
