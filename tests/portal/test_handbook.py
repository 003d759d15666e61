"""The handbook: finding, reading, writing, publishing, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import System
from knowledgebase import services
from knowledgebase.models import Article
from portal.models import AuditEntry, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

TEXTS = {
    "title": "The lift is stuck",
    "symptom": "Nobody moves.",
    "cause": "",
    "automatic": "",
    "workaround": "Take the **stairs**.",
    "solution": "",
    "steps": "1. Walk",
}


@pytest.fixture
def article() -> Article:
    made = services.draft_article(TEXTS, by=None, code="stuck")
    services.publish_article(made)
    return made


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


@pytest.fixture
def agent() -> User:
    return factories.make_user("ann", role=Role.PARTNER_AGENT, partner=factories.mercuri())


def page(client: Client, user: User, address: str, **query: str) -> str:
    client.force_login(user)
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_articles_are_found_by_words_code_and_kind(client: Client, article: Article, agent: User) -> None:
    # Those that come with Concord are there already.
    Article.objects.exclude(pk=article.pk).delete()
    services.publish_article(
        services.draft_article({"title": "A new mouse", "symptom": "Mice."}, by=None, kind="service_request")
    )

    def found(**query: str) -> list[str]:
        client.force_login(agent)
        return [one.title for one in client.get("/handbook/", query).context["listing"].page]

    assert found() == ["A new mouse", "The lift is stuck"]
    assert found(q="STAIRS") == ["The lift is stuck"]
    assert found(q="stuck") == ["The lift is stuck"]
    assert found(kind="service_request") == ["A new mouse"]
    assert found(q="elephant") == []
    assert "No article fits" in page(client, agent, "/handbook/", q="elephant")


def test_an_article_is_shown_with_its_markdown(client: Client, article: Article, agent: User) -> None:
    text = page(client, agent, f"/handbook/{article.pk}/")

    assert "Take the <strong>stairs</strong>." in text
    assert "<li>Walk</li>" in text
    for hidden in ("Edit", "Retire", "What Concord does by itself"):
        assert hidden not in text


def test_how_often_it_occurs_now_is_told_to_those_who_see_the_queue(
    client: Client, article: Article, staff: User, agent: User
) -> None:
    left, right = scenes.mercuri_and_infinity()
    matter = scenes.matter(left, right, left_fields={}, right_fields={})
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket))
    scenes.park(matter.to_right, "stuck", "Stuck.")
    System.objects.filter(pk=right.system_id).update(failure_code="stuck", failed_at=scenes.NOW)

    text = page(client, staff, f"/handbook/{article.pk}/")

    assert "1 lane waits" in text
    assert "Infinity Jira of Infinity Solutions failed with this" in text
    assert "Needed now" in page(client, staff, "/handbook/")
    assert "lane" not in page(client, agent, f"/handbook/{article.pk}/")
    assert "Needed now" not in page(client, agent, "/handbook/")


def test_a_code_leads_to_its_article(client: Client, article: Article, staff: User, agent: User) -> None:
    client.force_login(agent)
    assert client.get("/handbook/code/stuck/")["Location"] == f"/handbook/{article.pk}/"
    assert client.get("/handbook/code/unheard_of/").status_code == 404
    client.force_login(staff)
    answer = client.get("/handbook/code/unheard_of/", follow=True)
    assert said(answer) == ["Nobody has explained this failure code yet."]
    assert answer.context["form"]["code"].value() == "unheard_of"


def test_drafts_are_for_those_who_write(client: Client, staff: User, agent: User) -> None:
    draft = services.draft_article(TEXTS, by=None)

    assert "The lift is stuck" in page(client, staff, "/handbook/")
    assert "The lift is stuck" not in page(client, agent, "/handbook/")
    client.force_login(agent)
    assert client.get(f"/handbook/{draft.pk}/").status_code == 404


def test_an_article_is_written_published_and_retired(client: Client, staff: User) -> None:
    client.force_login(staff)

    client.post("/handbook/add/", {**TEXTS, "kind": "incident", "code": "stuck"})
    article = Article.objects.get(code="stuck")
    published = client.post(f"/handbook/{article.pk}/publish/", follow=True)
    again = client.post(f"/handbook/{article.pk}/publish/", follow=True)
    retired = client.post(f"/handbook/{article.pk}/retire/", follow=True)

    assert said(published) == ["Saved as a draft. Readers see it once it is published.", "Published."]
    assert said(again) == ["“The lift is stuck” is published, so it cannot become published."]
    assert said(retired) == ["Retired."]
    trail = AuditEntry.objects.about(article).values_list("action", flat=True)
    assert list(trail) == ["retired", "published", "drafted"]


def test_what_is_missing_is_said_at_its_place(client: Client, article: Article, staff: User) -> None:
    client.force_login(staff)

    response = client.post("/handbook/add/", {**TEXTS, "symptom": "", "kind": "incident", "code": "stuck"})

    assert response.status_code == 422
    assert response.context["form"].errors == {
        "symptom": ["This field is required."],
        "code": ["“The lift is stuck” explains this code already."],
    }


def test_an_edit_becomes_a_revision_that_can_be_taken_back(
    client: Client, article: Article, staff: User
) -> None:
    client.force_login(staff)
    edit = f"/handbook/{article.pk}/edit/"

    client.post(edit, {**TEXTS, "cause": "The rope.", "note": "Found it", "based_on": "1"})
    article.refresh_from_db()
    text = page(client, staff, f"/handbook/{article.pk}/revisions/1/")
    back = client.post(f"/handbook/{article.pk}/revisions/1/", follow=True)
    article.refresh_from_db()

    assert "The article says something else today: cause." in text
    assert said(back)[-1] == "Revision 3 says again what revision 1 said."
    assert article.cause == ""
    assert list(article.revisions.values_list("number", "note")) == [
        (3, "As in revision 1"),
        (2, "Found it"),
        (1, "First draft"),
    ]


def test_saving_nothing_new_makes_no_revision(client: Client, article: Article, staff: User) -> None:
    client.force_login(staff)

    response = client.post(f"/handbook/{article.pk}/edit/", {**TEXTS, "based_on": "1"}, follow=True)

    assert said(response) == ["Nothing differs from what the article says already."]
    assert article.revisions.count() == 1


def test_nobody_saves_over_what_somebody_else_saved_meanwhile(
    client: Client, article: Article, staff: User
) -> None:
    services.revise_article(article, {"cause": "The motor."}, by=None)
    client.force_login(staff)
    edit = f"/handbook/{article.pk}/edit/"

    first = client.post(edit, {**TEXTS, "cause": "The rope.", "based_on": "1"})
    article.refresh_from_db()

    assert first.status_code == 422
    assert "Revision 2 was saved while you were editing revision 1." in first.content.decode()
    assert "The rope." in first.content.decode()
    assert article.cause == "The motor."
    # Having been told, one may save over it.
    based_on = first.context["form"]["based_on"].value()
    client.post(edit, {**TEXTS, "cause": "The rope.", "based_on": based_on})
    article.refresh_from_db()
    assert (based_on, article.cause) == (2, "The rope.")


@pytest.mark.parametrize("address", ["add/", "{pk}/edit/", "{pk}/revisions/1/"])
def test_readers_do_not_write(client: Client, article: Article, agent: User, address: str) -> None:
    client.force_login(agent)

    assert client.get("/handbook/" + address.format(pk=article.pk)).status_code == 403


@pytest.mark.parametrize("action", ["handbook_publish", "handbook_retire"])
def test_readers_do_not_publish(client: Client, article: Article, agent: User, action: str) -> None:
    client.force_login(agent)
    address = reverse(action, args=[article.pk])

    assert client.post(address).status_code == 403
    assert client.get(address).status_code == 405


def test_the_list_costs_the_same_whatever_its_length(
    client: Client, staff: User, django_assert_num_queries: Any
) -> None:
    client.force_login(staff)
    client.get("/handbook/")

    # Session, user and whose; memberships, matrix; codes that occur, with the partners seen; articles counted, listed.
    with django_assert_num_queries(10):
        client.get("/handbook/")
