"""Deciding between two values: what the page shows to whom, who may decide, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.mapping.rules import ConflictPolicy
from integrations.models import Conflict, Delivery, FieldRule, Lane, Ticket
from integrations.services.explaining import explain
from integrations.services.mappings import draft_rules
from portal.models import AuditEntry, QueueAction, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matter() -> Matter:
    """Mercuri set the priority to urgent, Infinity to its own “P4 secret”, and neither had seen the other's."""
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority", note="Note")
    scenes.publish(left, "outgoing", {"priority": ("priority", {"urgent": "critical", "low": "minor"})})
    scenes.publish(left, "incoming", {"priority": ("priority", {"critical": "urgent", "minor": "low"})})
    scenes.publish(right, "outgoing", {"priority": ("priority", {"P1": "critical", "P4 secret": "minor"})})
    scenes.publish(
        right,
        "incoming",
        {"priority": ("priority", {"critical": "P1", "minor": "P4 secret"}), "note": "note"},
    )
    FieldRule.objects.filter(mapping_set__side=right).update(conflict="person")
    made = scenes.matter(
        left, right, left_fields={"priority": "urgent"}, right_fields={"priority": "P4 secret"}
    )
    Ticket.objects.filter(pk=made.right_ticket.pk).update(winners={"priority": [5, right.system_id]})
    scenes.seen(made.right_ticket, minute=-9, actor="Ines Own", fields={"priority": "P4 secret"})
    change = scenes.seen(made.left_ticket, minute=-10, actor="Mina Came", fields={"priority": "urgent"})
    ask(made, scenes.queued(made.to_right, change, envelope={"fields": {"priority": "critical"}}), "priority")
    return made


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


def ask(matter: Matter, delivery: Delivery, field: str) -> None:
    Conflict.objects.create(delivery=delivery, field=field, shared=field, asked_at=NOW)
    scenes.park(matter.to_right, "conflict", f"“{field}” was changed on both sides.")


def page_for(client: Client, user: User) -> str:
    client.force_login(user)
    return client.get(reverse("delivery_detail", args=[Conflict.objects.get().delivery_id])).content.decode()


def decide(client: Client, user: User, choice: str, **more: str) -> Any:
    client.force_login(user)
    asked = Conflict.objects.get()
    prefix = f"c{asked.pk}-"
    page = client.get(reverse("delivery_detail", args=[asked.delivery_id]))
    questions = page.context["questions"] if page.context else []
    token = questions[0].form.initial["token"] if questions and questions[0].form else "x"
    data = {"choice": choice, "reason": "The customer said so.", "token": token, **more}
    address = reverse("conflict_decide", args=[asked.pk])
    return client.post(address, {prefix + name: value for name, value in data.items()}, follow=True)


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_staff_see_both_values_in_both_words_with_their_authors(
    client: Client, matter: Matter, staff: User
) -> None:
    text = page_for(client, staff)

    for shown in ("urgent", "P4 secret", "“critical” in", "“minor” in", "Mina Came", "Ines Own"):
        assert shown in text
    assert "Take the value of Mercuri Inc" in text
    assert "Keep the value of Infinity Solutions" in text


def test_the_page_to_decide_does_not_speak_of_writing_what_is_in_dispute(
    client: Client, matter: Matter, staff: User
) -> None:
    text = page_for(client, staff)
    assert "would be written now" not in text
    assert "What else it writes" not in text

    delivery = Conflict.objects.get().delivery
    FieldRule.objects.filter(target="note").update(conflict="newest")
    delivery.envelope = {"fields": {"priority": "critical", "note": "Called twice"}}
    delivery.save()
    text = page_for(client, staff)

    _, _, beside = text.partition("What else it writes once that is decided")
    assert "Called twice" in beside
    assert "P1" not in beside


def test_the_value_that_was_set_last_is_marked_for_both_companies(client: Client, matter: Matter) -> None:
    owner = Role.MAPPING_OWNER
    pages = [
        page_for(client, factories.make_user(name, role=owner, partner=partner))
        for name, partner in (("ann", factories.mercuri()), ("ben", factories.infinity()))
    ]

    for text in pages:
        mercuri, _, infinity = text.partition('<div class="fw-medium">Infinity Solutions')
        assert (mercuri.count(">newest<"), infinity.count(">newest<")) == (0, 1)


def test_the_queue_leads_to_the_decision(client: Client, matter: Matter, staff: User) -> None:
    client.force_login(staff)
    text = client.get("/queue/", {"code": "conflict"}).content.decode()

    assert "Decide</a>" in text
    assert "Take the newest</button>" in text


def test_a_decision_goes_to_both_sides_and_leaves_a_trail(
    client: Client, matter: Matter, staff: User
) -> None:
    response = decide(client, staff, "came")
    shown = page_for(client, staff)

    assert said(response) == ["Decided. It goes to both sides now."]
    asked = Conflict.objects.get()
    assert (asked.choice, asked.decided_by, asked.came, asked.own, asked.stands) == (
        *("came", staff, "P1", "P4 secret", "P1"),
    )
    queued = Delivery.objects.exclude(number=1, lane=matter.to_right).order_by("pk")
    assert [(one.lane_id, one.operation, one.envelope["fields"]) for one in queued] == [
        (matter.to_right.pk, "repair", {"priority": "P1"}),
        (matter.to_left.pk, "update", {"priority": "critical"}),
    ]
    assert Lane.objects.get(pk=matter.to_right.pk).state == "ready"
    entry = AuditEntry.objects.get(action="decided")
    assert entry.changes == {"field": "priority", "stands": "came", "reason": "The customer said so."}
    assert "The value of Mercuri Inc stands: “P1”" in shown
    assert "Nothing more: somebody decided which value stands" in shown


def test_whoever_comes_second_is_told(client: Client, matter: Matter, staff: User) -> None:
    decide(client, staff, "own")
    second = decide(client, staff, "came")

    assert said(second) == ["rosa was quicker and has decided already."]
    assert Conflict.objects.get().choice == "own"


def test_values_that_changed_meanwhile_are_looked_at_once_more(
    client: Client, matter: Matter, staff: User
) -> None:
    response = decide(client, staff, "own", token="1.2.3")

    assert said(response) == ["One of the two values has changed meanwhile. Look at them once more."]
    assert Conflict.objects.open().exists()


def test_a_decision_takes_a_choice_and_a_reason(client: Client, matter: Matter, staff: User) -> None:
    response = decide(client, staff, "", reason="")

    assert response.status_code == 422
    text = response.content.decode()
    assert "Choose which value is to stand." in text
    assert "Say why this value is to stand." in text


def test_each_company_reads_the_others_value_only_as_it_was_released(client: Client, matter: Matter) -> None:
    owner = Role.MAPPING_OWNER
    mercuri = page_for(client, factories.make_user("ann", role=owner, partner=factories.mercuri()))
    infinity = page_for(client, factories.make_user("ben", role=owner, partner=factories.infinity()))

    assert "minor" in mercuri
    assert "Mina Came" in mercuri
    assert "P4 secret" not in mercuri
    assert "Ines Own" not in mercuri
    assert "critical" in infinity
    assert "Ines Own" in infinity
    assert "P4 secret" in infinity
    assert "urgent" not in infinity
    assert "Mina Came" not in infinity


def test_the_side_whose_rule_asked_decides(client: Client, matter: Matter) -> None:
    owner = Role.MAPPING_OWNER
    mercuri = factories.make_user("ann", role=owner, partner=factories.mercuri())
    text = page_for(client, mercuri)
    assert "Infinity Solutions decides" in text
    assert decide(client, mercuri, "came").status_code == 403
    client.post(reverse("delivery_act"), {"action": "newest", "lanes": matter.to_right.pk}, follow=True)
    assert Conflict.objects.open().exists()

    infinity = factories.make_user("ben", role=owner, partner=factories.infinity())
    assert decide(client, infinity, "own").status_code == 200
    assert not Conflict.objects.open().exists()


def test_many_are_decided_for_the_newest(client: Client, matter: Matter, staff: User) -> None:
    client.force_login(staff)
    response = client.post(
        reverse("delivery_act"), {"action": "newest", "lanes": matter.to_right.pk}, follow=True
    )

    assert said(response) == ["Decided. It goes to both sides now."]
    assert Conflict.objects.get().choice == "own"


def test_all_that_wait_for_a_decision_are_decided_for_the_newest_after_a_look(
    client: Client, matter: Matter, staff: User
) -> None:
    client.force_login(staff)
    answer = client.post(
        reverse("delivery_act"), {"action": "newest", "scope": "all", "code": "conflict"}, follow=True
    )

    page = " ".join(answer.content.decode().split())
    assert "Take the newest value in 1 lane" in page
    assert "Where both sides changed a field, the value that was set last stands on both." in page
    assert "Reason: conflict" in page
    assert Conflict.objects.open().count() == 1
    action = QueueAction.objects.get()
    client.post(reverse("queue_action_run", args=[action.pk]))

    decided = Conflict.objects.get()
    assert (decided.choice, decided.stands, decided.reason) == ("own", "P4 secret", "The newest of both")
    assert [(one.outcome, one.message) for one in action.lanes.all()] == [
        ("done", "Decided. It goes to both sides now.")
    ]


def test_the_rule_that_keeps_the_own_value_says_so_where_it_is_made(client: Client, matter: Matter) -> None:
    client.force_login(factories.make_user("ben", role=Role.MAPPING_OWNER, partner=factories.infinity()))
    draft = draft_rules(matter.right, "incoming")
    rule = draft.rules.get(target="priority")

    page = client.get(reverse("mapping_rule_edit", args=[rule.pk])).content.decode()

    for words in ConflictPolicy:
        assert f'value="{words}"' in page
    assert "This side&#x27;s own change stands" in page
    assert "A person decides" in page


def test_a_text_of_both_may_be_edited(client: Client, matter: Matter, staff: User) -> None:
    def body(*paragraphs: str) -> dict[str, Any]:
        return scenes.body("\n\n".join(paragraphs))

    Conflict.objects.all().delete()
    Ticket.objects.filter(pk=matter.right_ticket.pk).update(
        actual={"priority": "P4 secret", "note": body("ours", "second")},
        winners={"note": [5, matter.right.system_id]},
    )
    first = Delivery.objects.get(number=1)
    first.envelope = {
        "fields": {"note": body("theirs", "second", "added")},
        "base": {"note": body("first", "second")},
    }
    first.save()
    ask(matter, first, "note")

    client.force_login(staff)
    page = client.get(reverse("delivery_detail", args=[first.pk]))
    offered = page.context["questions"][0].form.initial["text"]
    assert offered == "ours\n\nsecond\n\nadded"
    decide(client, staff, "text", text=offered.replace("ours", "ours and theirs"))

    assert Conflict.objects.get().stands == body("ours and theirs", "second", "added")


def test_why_a_value_did_not_move_is_told_by_the_decision(
    client: Client, matter: Matter, staff: User
) -> None:
    decide(client, staff, "own")
    Delivery.objects.filter(number=1, lane=matter.to_right).update(state="superseded", done_at=NOW)
    field = matter.linked.connection.dictionary.get(name="priority")

    forth, back = explain(matter.linked, field, now=NOW).directions

    sentence = (
        "Both sides had changed it, and rosa decided that the value that stood there stands: "
        "The customer said so."
    )
    assert (str(forth.end), forth.steps[-1].text) == ("overtaken", sentence)
    assert back.steps[0].text == sentence
