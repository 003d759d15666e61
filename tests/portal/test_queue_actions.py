"""Acting on all lanes that fit: shown first, then done some at a time, and known lane by lane."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Delivery, Lane
from portal.models import AuditEntry, QueueAction, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matters() -> list[Matter]:
    """Three linked tickets with two changes each, which wait for a person at Infinity's door."""
    left, right = scenes.mercuri_and_infinity()
    found = [scenes.matter(left, right, number=number, right_fields={}) for number in (1, 2, 3)]
    for one in found:
        for _ in range(2):
            scenes.queued(
                one.to_right, scenes.seen(one.left_ticket), envelope={"fields": {"priority": "high"}}
            )
        scenes.park(one.to_right, "invalid", "No.")
    return found


@pytest.fixture
def administrator() -> User:
    return factories.make_user("adam", role=Role.ADMINISTRATOR)


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


def chosen(client: Client, user: User, act: str, **data: Any) -> QueueAction:
    """The action as it is shown before anything is done."""
    client.force_login(user)
    answer = client.post(reverse("delivery_act"), {"action": act, **data})
    action = QueueAction.objects.latest("pk")
    assert answer["Location"] == reverse("queue_action", args=[action.pk])
    return action


def shown(client: Client, action: QueueAction, **query: str) -> Any:
    return client.get(reverse("queue_action", args=[action.pk]), query)


def run(client: Client, action: QueueAction, **data: Any) -> Any:
    return client.post(reverse("queue_action_run", args=[action.pk]), data, follow=True)


def states() -> list[str]:
    return list(Lane.objects.waiting().order_by("pk").values_list("state", flat=True))


def outcomes(action: QueueAction) -> list[tuple[str, str]]:
    return list(action.lanes.order_by("pk").values_list("outcome", "message"))


def test_what_would_be_hit_is_shown_and_nothing_is_done_yet(
    client: Client, matters: list[Matter], staff: User
) -> None:
    scenes.park(scenes.matter(matters[0].left, matters[0].right, number=9).to_right, "invalid", "Empty.")
    Delivery.objects.filter(lane=matters[2].to_right, number=1).update(state="sent")

    action = chosen(client, staff, "retry", scope="all", state="parked")
    page = shown(client, action)

    (hit,) = page.context["hits"]
    assert (hit.system, hit.count, hit.parked, hit.held, hit.unknown) == ("Infinity Jira", 3, 3, 0, 1)
    assert action.narrowed == "State: Needs a person"
    assert len(page.context["rows"]) == 3
    assert states() == ["parked"] * 3
    assert not AuditEntry.objects.filter(action="retried").exists()


def test_all_that_fit_are_acted_on_not_only_those_on_the_page(
    client: Client, matters: list[Matter], staff: User
) -> None:
    other = scenes.matter(matters[0].left, matters[0].right, number=9, right_fields={})
    scenes.queued(other.to_right, scenes.seen(other.left_ticket))
    Lane.objects.filter(pk=matters[0].to_right.pk).update(leased_until=NOW + timedelta(days=9999))

    action = chosen(client, staff, "retry", scope="all", state="parked")
    page = run(client, action)

    assert outcomes(action) == [
        ("left", "It is being delivered at this moment."),
        ("done", "Tried again at once."),
        ("done", "Tried again at once."),
    ]
    assert [(one.outcome, one.count) for one in page.context["told"]] == [("Done", 2), ("Left as it is", 1)]
    assert states() == ["parked", "ready", "ready", "ready"]
    # The one that was not parked was not meant.
    assert AuditEntry.objects.about(other.linked).count() == 0
    assert AuditEntry.objects.about(matters[1].linked).get().action == "retried"


def test_many_lanes_share_an_entry_in_the_trail(
    client: Client, matters: list[Matter], staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.queue_actions.FEW", 1)

    run(client, chosen(client, staff, "hold", scope="all"))

    entry = AuditEntry.objects.about(matters[0].linked.connection).get()
    numbers = [one.linked.number for one in matters]
    assert (entry.action, entry.changes) == ("held", {"lanes": 3, "tickets": numbers})


@pytest.mark.parametrize(("act", "before"), [("hold", "parked"), ("retry", "parked"), ("resume", "held")])
def test_what_is_more_than_one_action_takes_is_found_by_asking_again(
    client: Client,
    matters: list[Matter],
    staff: User,
    monkeypatch: pytest.MonkeyPatch,
    act: str,
    before: str,
) -> None:
    monkeypatch.setattr("portal.bulk.MOST", 2)
    Lane.objects.waiting().update(state=before)

    taken = []
    for _ in range(3):
        action = chosen(client, staff, act, scope="all")
        run(client, action)
        taken.append(
            [lane for lane, outcome in action.lanes.values_list("lane", "outcome") if outcome == "done"]
        )

    first, second, third = (one.to_right.pk for one in matters)
    assert taken == [[first, second], [third], []]


def test_an_action_goes_on_where_it_stopped(
    client: Client, matters: list[Matter], staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.queue_actions.carry_on.__kwdefaults__", {"step": 2})
    action = chosen(client, staff, "hold", scope="all")

    first = run(client, action)
    assert (first.context["finished"], first.context["total"]) == (2, 3)
    assert [outcome for outcome, _ in outcomes(action)] == ["done", "done", "to_do"]
    assert "did not come to its end" in client.get("/queue/").content.decode()

    run(client, action)
    assert [outcome for outcome, _ in outcomes(action)] == ["done"] * 3
    assert QueueAction.objects.get().ended_at is not None
    assert "did not come to its end" not in client.get("/queue/").content.decode()
    # Once more does nothing: no lane is acted on twice.
    run(client, action)
    assert AuditEntry.objects.filter(action="held").count() == 3


def test_an_action_can_be_stopped_in_the_middle(
    client: Client, matters: list[Matter], staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.queue_actions.carry_on.__kwdefaults__", {"step": 1})
    action = chosen(client, staff, "hold", scope="all")
    page = run(client, action).content.decode()
    stop = reverse("queue_action_drop", args=[action.pk])
    # Not in the form that htmx sends: it would go on.
    (form,) = [one for one in re.findall(r"<form.*?</form>", page, re.DOTALL) if "Stop here" in one]
    assert f'action="{stop}"' in form
    assert "hx-" not in form

    client.post(stop)
    run(client, action)

    assert states() == ["held", "parked", "parked"]


def test_an_action_that_is_not_wanted_is_forgotten(
    client: Client, matters: list[Matter], staff: User
) -> None:
    action = chosen(client, staff, "hold", scope="all")

    client.post(reverse("queue_action_drop", args=[action.pk]))

    assert not QueueAction.objects.exists()
    assert states() == ["parked"] * 3


def test_many_are_skipped_with_one_reason(client: Client, matters: list[Matter], administrator: User) -> None:
    action = chosen(client, administrator, "skip", lanes=[one.to_right.pk for one in matters[:2]])

    without = client.post(reverse("queue_action_run", args=[action.pk]), {"reason": " "})
    assert without.status_code == 422
    assert "Say why it is skipped." in without.content.decode()

    run(client, action, reason="Told by telephone")
    assert outcomes(action) == [("done", "Skipped. 1 change still to deliver, in order.")] * 2
    skipped = Delivery.objects.filter(state="skipped").order_by("lane")
    assert [(one.lane_id, one.number, one.skipped_reason) for one in skipped] == [
        (one.to_right.pk, 1, "Told by telephone") for one in matters[:2]
    ]
    entry = AuditEntry.objects.about(matters[0].linked).get()
    assert (entry.action, entry.changes["reason"]) == ("skipped", "Told by telephone")


def test_only_what_was_shown_is_skipped(client: Client, matters: list[Matter], administrator: User) -> None:
    """Between the look and the click the first change arrived: the one behind it was never meant."""
    action = chosen(client, administrator, "skip", lanes=[matters[0].to_right.pk])
    Delivery.objects.filter(lane=matters[0].to_right, number=1).update(state="done")
    Lane.objects.filter(pk=matters[0].to_right.pk).update(head=2)

    run(client, action, reason="Withdrawn")

    assert outcomes(action) == [("left", "It is not waiting any more.")]
    assert not Delivery.objects.filter(state="skipped").exists()


def test_what_may_have_arrived_is_skipped_only_on_purpose(
    client: Client, matters: list[Matter], administrator: User
) -> None:
    Delivery.objects.filter(lane=matters[0].to_right, number=1).update(state="sent")
    lanes = [one.to_right.pk for one in matters[:2]]

    first = chosen(client, administrator, "skip", lanes=lanes)
    run(client, first, reason="Withdrawn")
    assert [outcome for outcome, _ in outcomes(first)] == ["left", "done"]

    second = chosen(client, administrator, "skip", lanes=lanes[:1])
    run(client, second, reason="Withdrawn", even_if_unverified="on")
    assert [outcome for outcome, _ in outcomes(second)] == ["done"]


def test_skipping_many_takes_full_control(client: Client, matters: list[Matter]) -> None:
    client.force_login(factories.make_user(role=Role.MAPPING_OWNER, partner=factories.infinity()))

    data = {"action": "skip", "lanes": [matters[0].to_right.pk]}
    assert client.post(reverse("delivery_act"), data).status_code == 403
    assert not QueueAction.objects.exists()


def test_an_action_is_its_own_persons_and_reaches_no_other_partners_lanes(
    client: Client, matters: list[Matter], staff: User
) -> None:
    elsewhere = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.stranger())
    action = chosen(client, staff, "hold", scope="all")

    client.force_login(elsewhere)
    assert shown(client, action).status_code == 404
    assert client.post(reverse("queue_action_run", args=[action.pk])).status_code == 404
    assert client.post(reverse("queue_action_drop", args=[action.pk])).status_code == 404
    empty = chosen(client, elsewhere, "hold", scope="all")
    assert empty.lanes.count() == 0
    assert "Nothing is left to act on" in shown(client, empty).content.decode()


def test_the_script_gets_the_next_part_only(client: Client, matters: list[Matter], staff: User) -> None:
    action = chosen(client, staff, "hold", scope="all")

    part = client.post(
        reverse("queue_action_run", args=[action.pk]), headers={"HX-Request": "true"}
    ).content.decode()

    assert "3 of 3 lanes" in part
    assert "<html" not in part
