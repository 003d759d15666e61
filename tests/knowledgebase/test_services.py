"""What staff do with articles, and what a new release may do to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.auth import get_user_model

from knowledgebase.models import Article
from knowledgebase.receivers import load_articles
from knowledgebase.services import (
    TEXT_FIELDS,
    ArticleError,
    Loaded,
    draft_article,
    load_shipped,
    publish_article,
    restore_revision,
    retire_article,
    revise_article,
)
from knowledgebase.shipped import ShippedArticle, read_all

pytestmark = pytest.mark.django_db

TEXTS = {"title": "VPN drops", "symptom": "The line is *gone*.", "steps": "1. Wait."}
SHIPPED = ShippedArticle(
    code="coffee_cold",
    title="The coffee is cold",
    kind="incident",
    language="en",
    texts={
        "symptom": "Cold.",
        "cause": "Time.",
        "automatic": "Nothing.",
        "solution": "Heat.",
        "steps": "1. Heat.",
    },
)


@pytest.fixture
def editor():
    return get_user_model().objects.create_user("editor")


def history(article: Article) -> list[tuple[int, str | None, str, str]]:
    """(number, author, note, title) of every revision, oldest first."""
    return [
        (revision.number, revision.author and revision.author.username, revision.note, revision.text["title"])
        for revision in article.revisions.order_by("number")
    ]


def test_every_installation_has_the_shipped_articles_after_migrating() -> None:
    assert set(Article.objects.published().values_list("code", flat=True)) == {
        article.code for article in read_all()
    }


def test_loading_again_changes_nothing() -> None:
    before = list(Article.objects.order_by("pk").values())

    load_articles(using="default")

    assert list(Article.objects.order_by("pk").values()) == before


def test_a_new_release_updates_its_own_text_and_keeps_the_old_one_as_a_revision() -> None:
    assert load_shipped([SHIPPED]) == Loaded(added=("coffee_cold",))
    newer = replace(SHIPPED, title="The coffee has gone cold", texts={**SHIPPED.texts, "workaround": "Tea."})

    assert load_shipped([newer]) == Loaded(updated=("coffee_cold",))

    article = Article.objects.get(code="coffee_cold")
    assert {name: getattr(article, name) for name in TEXT_FIELDS} == {"title": newer.title, **newer.texts}
    assert history(article) == [
        (1, None, "Came with Concord", "The coffee is cold"),
        (2, None, "Came with Concord", "The coffee has gone cold"),
    ]


def test_a_section_that_a_release_leaves_out_goes() -> None:
    load_shipped([replace(SHIPPED, texts={**SHIPPED.texts, "workaround": "Tea."})])
    load_shipped([SHIPPED])

    assert Article.objects.get(code="coffee_cold").workaround == ""


def test_a_release_never_touches_an_article_that_staff_edited(editor) -> None:
    load_shipped([SHIPPED])
    article = Article.objects.get(code="coffee_cold")
    revise_article(article, {"solution": "Make a new one."}, by=editor)

    assert load_shipped([replace(SHIPPED, title="Other")]) == Loaded(kept=("coffee_cold",))

    article.refresh_from_db()
    assert (article.title, article.solution) == ("The coffee is cold", "Make a new one.")


def test_a_retired_article_stays_retired_when_a_release_updates_it() -> None:
    load_shipped([SHIPPED])
    retire_article(Article.objects.get(code="coffee_cold"))
    load_shipped([replace(SHIPPED, title="Other")])

    article = Article.objects.get(code="coffee_cold")
    assert (article.state, article.title) == ("retired", "Other")


def test_an_article_goes_from_draft_to_published_to_retired_and_back(editor) -> None:
    article = draft_article(TEXTS, by=editor, kind=Article.Kind.SERVICE_REQUEST)
    states = [article.state]
    for step in (publish_article, retire_article, publish_article):
        step(article)
        article.refresh_from_db()
        states.append(article.state)

    assert states == ["draft", "published", "retired", "published"]
    assert (article.code, article.kind) == (None, "service_request")


def test_a_step_that_the_state_does_not_allow_says_so(editor) -> None:
    article = draft_article(TEXTS, by=editor)

    with pytest.raises(ArticleError, match="“VPN drops” is draft, so it cannot become retired"):
        retire_article(article)


def test_publishing_twice_is_refused_even_with_an_old_copy_in_hand(editor) -> None:
    article = draft_article(TEXTS, by=editor)
    old_copy = Article.objects.get(pk=article.pk)
    publish_article(article)

    with pytest.raises(ArticleError, match="is published"):
        publish_article(old_copy)


def test_a_draft_needs_a_title_and_a_symptom(editor) -> None:
    with pytest.raises(ArticleError, match="a title and a symptom"):
        draft_article({"title": "VPN drops"}, by=editor)


def test_every_text_is_kept_and_can_be_restored(editor) -> None:
    article = draft_article(TEXTS, by=editor)
    revise_article(article, {"title": "VPN drops at night"}, by=editor, note="When")
    restore_revision(article.revisions.get(number=1), by=editor)

    article.refresh_from_db()
    assert article.title == "VPN drops"
    assert history(article) == [
        (1, "editor", "First draft", "VPN drops"),
        (2, "editor", "When", "VPN drops at night"),
        (3, "editor", "As in revision 1", "VPN drops"),
    ]


def test_saving_what_is_there_already_makes_no_revision(editor) -> None:
    article = draft_article(TEXTS, by=editor)

    assert revise_article(article, {**TEXTS, "symptom": "The line is *gone*."}, by=editor) is None
    assert article.revisions.count() == 1


def test_line_ends_of_a_browser_are_no_change(editor) -> None:
    article = draft_article({**TEXTS, "steps": "1. Wait.\n2. Call."}, by=editor)

    assert revise_article(article, {"steps": "1. Wait.\r\n2. Call.\r\n"}, by=editor) is None


def test_nobody_overwrites_what_somebody_else_saved_meanwhile(editor) -> None:
    article = draft_article(TEXTS, by=editor)
    revise_article(article, {"cause": "A broken cable."}, by=editor, based_on=1)

    with pytest.raises(ArticleError, match="Revision 2 was saved while you were editing revision 1"):
        revise_article(article, {"cause": "The weather."}, by=editor, based_on=1)

    article.refresh_from_db()
    assert article.cause == "A broken cable."


def test_an_unknown_text_is_refused(editor) -> None:
    with pytest.raises(ArticleError, match="no text called body"):
        draft_article({**TEXTS, "body": "?"}, by=editor)
