"""The articles that come with Concord: every failure code has one, and every file can be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.connectors.errors import ConnectorError
from integrations.mapping.drift import ChangeCode
from integrations.mapping.files import FileCode
from integrations.models import HookTrouble
from integrations.secrets import SecretUnreadable
from integrations.watch.conditions import Condition
from knowledgebase.rendering import render_markdown
from knowledgebase.shipped import BrokenArticle, parse, read_all

# What stops a lane, or is shown to people, without an exception of its own.
OTHER_CODES = {
    "ticket_limit",
    *("unmapped_value", "missing_rule", "outcome_unknown", "hook_signature", "echo_unattributed"),
    *("duplicate_twin", "lane_held", "amplification", "drift", "unforeseen"),
}

ARTICLE = """---
code: example
title: An example
kind: change
---
## Symptom
Seen.

## Cause
Known.

## What Concord does by itself
- Waits.

## Solution
Solved.

## Steps
1. One.
2. Two.
"""


def codes_of(error: type[ConnectorError]) -> Iterator[str]:
    yield error.code
    for narrower in error.__subclasses__():
        yield from codes_of(narrower)


def test_every_failure_code_has_an_article() -> None:
    wanted = {
        *codes_of(ConnectorError),
        SecretUnreadable.code,
        *ChangeCode,
        *FileCode,
        *HookTrouble,
        *Condition,
        *OTHER_CODES,
    }

    assert {article.code for article in read_all()} == wanted


@pytest.mark.parametrize("article", list(read_all()), ids=lambda article: article.code)
def test_a_shipped_article_says_what_to_do_step_by_step(article) -> None:
    steps = render_markdown(article.texts["steps"])

    assert steps.startswith("<ol>\n<li>")
    assert steps.count("<li>") >= 3
    assert article.title.endswith(tuple("abcdefghijklmnopqrstuvwxyz"))
    assert len(article.title) <= 70


def test_a_file_is_read_section_by_section() -> None:
    article = parse(ARTICLE, "example")

    assert (article.code, article.title, article.kind, article.language) == (
        "example",
        "An example",
        "change",
        "en",
    )
    assert article.texts == {
        "symptom": "Seen.",
        "cause": "Known.",
        "automatic": "- Waits.",
        "solution": "Solved.",
        "steps": "1. One.\n2. Two.",
    }


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (ARTICLE.replace("---\n", "", 1), "example.md has no head between two lines of three dashes."),
        (ARTICLE.replace("## Cause", "## Reason"), "example.md has a section 'Reason'"),
        (ARTICLE.replace("## Cause\nKnown.\n", ""), "example.md has no text for: cause."),
        (ARTICLE.replace("code: example", "code: other"), "example.md has to say `code: example`"),
        (ARTICLE.replace("title: An example\n", ""), "and a title in its head."),
    ],
)
def test_a_broken_file_is_named_with_its_fault(broken: str, complaint: str) -> None:
    with pytest.raises(BrokenArticle) as caught:
        parse(broken, "example")

    assert complaint in str(caught.value)


def test_the_digest_changes_with_any_text() -> None:
    first = parse(ARTICLE, "example")

    assert first.digest == parse(ARTICLE, "example").digest
    assert first.digest != parse(ARTICLE.replace("Two.", "Three."), "example").digest
