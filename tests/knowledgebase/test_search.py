"""Finding articles by failure code and by words."""

from __future__ import annotations

import pytest

from knowledgebase.models import Article
from knowledgebase.search import MOST_WORDS, article_for, articles_for, search
from knowledgebase.services import draft_article, publish_article, retire_article

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def handbook() -> None:
    """Three articles, and nothing else."""
    Article.objects.all().delete()
    for title, symptom, code in (
        ("Mail is late", "The VPN is slow.", None),
        ("VPN drops", "Nothing goes through at night.", "vpn_drops"),
        ("Größere Störung", "Ämter melden Ausfälle.", None),
    ):
        publish_article(draft_article({"title": title, "symptom": symptom}, by=None, code=code))


def titles(words: str) -> list[str]:
    return [article.title for article in search(words)]


def test_a_failure_code_leads_to_its_article() -> None:
    assert article_for("vpn_drops") == Article.objects.get(title="VPN drops")
    assert (article_for("unknown"), article_for("")) == (None, None)


def test_many_codes_are_answered_with_one_query(django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        found = articles_for(["vpn_drops", "unknown", ""])

    assert found == {"vpn_drops": Article.objects.get(title="VPN drops")}


def test_a_word_in_the_title_comes_before_a_word_in_the_text() -> None:
    assert titles("vpn") == ["VPN drops", "Mail is late"]


def test_every_word_has_to_be_there() -> None:
    assert titles("vpn night") == ["VPN drops"]
    assert titles("vpn breakfast") == []


def test_capitals_and_parts_of_words_do_not_matter_beyond_ascii_too() -> None:
    assert titles("STÖRUNG ämt") == ["Größere Störung"]
    assert titles("GRÖSSERE") == ["Größere Störung"]


def test_no_words_find_everything_by_title() -> None:
    assert titles("  ") == ["Größere Störung", "Mail is late", "VPN drops"]


def test_signs_that_mean_something_to_a_database_are_just_signs() -> None:
    assert (titles("%"), titles("_"), titles("'; drop")) == ([], ["VPN drops"], [])


def test_drafts_and_retired_articles_are_not_found_by_readers() -> None:
    draft_article({"title": "VPN rumour", "symptom": "?"}, by=None)
    retire_article(Article.objects.get(title="VPN drops"))

    assert titles("vpn") == ["Mail is late"]
    assert article_for("vpn_drops") is None


def test_an_editor_can_look_through_everything() -> None:
    draft_article({"title": "VPN rumour", "symptom": "?"}, by=None)

    assert [article.title for article in search("rumour", among=Article.objects.all())] == ["VPN rumour"]


def test_a_very_long_question_is_cut_instead_of_asked() -> None:
    assert titles("vpn " * MOST_WORDS + "breakfast") == ["VPN drops", "Mail is late"]
