"""The page of lanes that wait, what people do about them, and the page of one delivery."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.models import Attempt, Delivery, Lane, LinkedTicket, System, Ticket
from integrations.richtext.blocks import from_plain
from integrations.tasks import reconcile, sweep
from integrations.watch.conditions import Severity
from knowledgebase.services import load_shipped
from portal import queue, ticket_search
from portal.models import AuditEntry, User
from portal.queue import FOLDED_WHEN_AWAY
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

QUEUE = "/queue/"


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority")
    return scenes.matter(left, right, left_fields={}, right_fields={"priority": "Low"})


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


def wait(matter: Matter, lane: Lane | None = None, **values: Any) -> Delivery:
    """A change of priority that waits at Infinity's door."""
    ticket = matter.left_ticket
    event = scenes.seen(ticket, fields={"priority": "urgent"})
    usual: dict[str, Any] = {"envelope": {"fields": {"priority": "critical"}, "changed": ["priority"]}}
    return scenes.queued(lane or matter.to_right, event, **(usual | values))


def listed(client: Client, user: User, **query: str) -> list[int]:
    client.force_login(user)
    response = client.get(QUEUE, query)
    assert response.status_code == 200
    return [row.lane.pk for row in response.context["page"].rows]


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def act(client: Client, user: User, action: str, **data: Any) -> list[str]:
    client.force_login(user)
    return said(client.post(reverse("delivery_act"), {"action": action, **data}, follow=True))


# --- The list ---


def test_a_lane_tells_what_waits_and_why_and_leads_to_the_handbook(
    client: Client, matter: Matter, staff: User
) -> None:
    load_shipped()
    wait(matter)
    wait(matter)
    scenes.park(
        matter.to_right, "unmapped_value", "“priority” holds “critical”, and the map has no row for it."
    )
    client.force_login(staff)

    response = client.get(QUEUE)
    text = response.content.decode()

    (row,) = response.context["page"].rows
    assert (row.sender, row.receiver, row.what, row.count) == (
        "Mercuri Inc",
        "Infinity Solutions",
        "priority",
        2,
    )
    assert "and 1 behind it" in text
    assert "Waits for a person" in text
    assert "“priority” holds “critical”" in text
    assert reverse("handbook_detail", args=[row.article.pk]) in text


def test_since_when_a_lane_waits_is_told_in_the_readers_zone(
    client: Client, matter: Matter, staff: User
) -> None:
    User.objects.filter(pk=staff.pk).update(time_zone="Asia/Kolkata")
    wait(matter)

    assert listed(client, staff) == [matter.to_right.pk]
    assert 'title="23 Nov 2026, 17:30:01 IST">' in client.get(QUEUE).content.decode()


def test_what_the_senders_rules_cannot_tell_is_not_blamed_on_the_receiver(
    client: Client, matter: Matter, staff: User
) -> None:
    problem = {"code": "unmapped_value", "field": "priority", "message": "No row for it."}
    delivery = wait(matter, envelope={}, problem=problem)
    client.force_login(staff)

    page = client.get(reverse("delivery_detail", args=[delivery.pk])).content.decode()

    assert "Nothing yet: the sender's rules cannot tell what to send." in page
    assert "Not known until the sender's rules can tell what to send." in page
    assert "the receiver's rules write none of it" not in page


def test_the_longest_wait_stands_first(client: Client, matter: Matter, staff: User) -> None:
    other = scenes.matter(matter.left, matter.right, number=2, right_fields={})
    wait(matter)
    wait(other)
    Lane.objects.filter(pk=other.to_right.pk).update(waits_since=NOW - timedelta(days=1))

    assert listed(client, staff) == [other.to_right.pk, matter.to_right.pk]


def test_the_queue_can_be_narrowed(client: Client, matter: Matter, staff: User) -> None:
    lanes = {}
    for number, state in enumerate(("parked", "failing", "held", "ready"), 2):
        other = scenes.matter(matter.left, matter.right, number=number, right_fields={})
        wait(other)
        values = {"state": state} if state != "failing" else {"failure_code": "timed_out"}
        if state == "parked":
            values["failure_code"] = "invalid"
        Lane.objects.filter(pk=other.to_right.pk).update(**values)
        lanes[state] = other.to_right.pk

    assert listed(client, staff) == sorted(lanes.values())
    assert listed(client, staff, state="parked") == [lanes["parked"]]
    assert listed(client, staff, state="failing") == [lanes["failing"]]
    assert listed(client, staff, state="held") == [lanes["held"]]
    assert listed(client, staff, code="timed_out") == [lanes["failing"]]
    assert listed(client, staff, partner=str(factories.mercuri().pk)) == []
    assert listed(client, staff, state="nonsense") == sorted(lanes.values())


@pytest.fixture(params=["few", "many", "many wait"])
def _have_the_words(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when few tickets have what is looked for, and when many have."""
    if request.param != "few":
        monkeypatch.setattr(ticket_search, "FEW", 0)
    if request.param == "many wait":
        monkeypatch.setattr(queue, "MOST_BY_KEY", 0)


@pytest.mark.usefixtures("_have_the_words")
def test_the_queue_is_searched_by_number_key_and_title(client: Client, matter: Matter, staff: User) -> None:
    other = scenes.matter(matter.left, matter.right, number=2, right_fields={}, title="The parcel is lost")
    for one in (matter, other):
        wait(one)
    mine, theirs = matter.to_right.pk, other.to_right.pk

    assert listed(client, staff, q=f"lt-{other.linked.pk}") == [theirs]
    assert listed(client, staff, q="inf-1") == [mine]
    assert listed(client, staff, q="PARCEL") == [theirs]
    assert listed(client, staff, q="#2") == [theirs]
    assert listed(client, staff, q="nowhere") == []


@pytest.mark.usefixtures("_have_the_words")
def test_a_partner_searches_its_own_tickets_only(client: Client, matter: Matter) -> None:
    wait(matter)
    Ticket.objects.filter(pk=matter.right_ticket.pk).update(title="Invoice")
    sender = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.mercuri())
    receiver = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.infinity())

    assert [listed(client, receiver, q=words) for words in ("invoice", "INF-1", "twice", "#1")] == [
        [matter.to_right.pk],
        [matter.to_right.pk],
        [],
        [],
    ]
    assert [listed(client, sender, q=words) for words in ("invoice", "INF-1", "twice", "#1")] == [
        [],
        [],
        [matter.to_right.pk],
        [matter.to_right.pk],
    ]


def test_lanes_are_narrowed_and_marked_by_the_steps_of_the_alerts(
    client: Client, matter: Matter, staff: User
) -> None:
    found = {}
    for number, minutes in enumerate((5, 16, 61, 24 * 60 + 1), 2):
        other = scenes.matter(matter.left, matter.right, number=number, right_fields={})
        wait(other)
        scenes.park(other.to_right, "invalid", "No.")
        since = timezone.now() - timedelta(minutes=minutes)
        Lane.objects.filter(pk=other.to_right.pk).update(waits_since=since)
        found[minutes] = other.to_right.pk
    minute5, minute16, hour, day = found.values()

    assert listed(client, staff) == [day, hour, minute16, minute5]
    assert listed(client, staff, order="newest") == [minute5, minute16, hour, day]
    assert listed(client, staff, age="15m") == [day, hour, minute16]
    assert listed(client, staff, age="1h") == [day, hour]
    assert listed(client, staff, age="24h") == [day]
    marks = [row.alarm for row in client.get(QUEUE).context["page"].rows]
    assert marks == [Severity.CRITICAL, Severity.WARNING, Severity.NOTICE, None]


def test_lanes_are_ordered_by_their_next_attempt(client: Client, matter: Matter, staff: User) -> None:
    other = scenes.matter(matter.left, matter.right, number=2, right_fields={})
    for one, minutes in ((matter, 9), (other, 3)):
        wait(one)
        Lane.objects.filter(pk=one.to_right.pk).update(next_at=NOW + timedelta(minutes=minutes))

    assert listed(client, staff, order="next") == [other.to_right.pk, matter.to_right.pk]


def test_an_outcome_that_nobody_knows_is_shown_as_such(client: Client, matter: Matter, staff: User) -> None:
    other = scenes.matter(matter.left, matter.right, number=2, right_fields={})
    wait(other)
    sent = wait(matter, state="sent", send_by=timezone.now())

    assert listed(client, staff, state="unknown") == [matter.to_right.pk]
    assert "Outcome unknown" in client.get(QUEUE, {"state": "unknown"}).content.decode()
    assert "Outcome unknown</span>" not in client.get(QUEUE, {"q": f"LT-{other.linked.pk}"}).content.decode()
    detail = client.get(reverse("delivery_detail", args=[sent.pk]))
    assert "The outcome is unknown." in detail.content.decode()
    assert detail.context["verified_until"] > timezone.now()


def test_a_dead_systems_lanes_do_not_hide_the_others(client: Client, matter: Matter, staff: User) -> None:
    """They are one row with their count, which opens and closes; the others stand below it."""
    elsewhere = factories.make_system(factories.globally(), "azure_devops", name="Global DevOps")
    left, right = scenes.connection(matter.left.system, elsewhere)
    alive = scenes.matter(left, right, number=100, right_fields={})
    wait(alive)
    dead = [
        scenes.matter(matter.left, matter.right, number=number, right_fields={}).to_right
        for number in range(2, 2 + FOLDED_WHEN_AWAY + 1)
    ]
    for lane in dead:
        scenes.queued(lane, scenes.seen(matter.left_ticket), envelope={"fields": {}})
    scenes.park(dead[0], "invalid", "No.")
    system = matter.right.system
    assert len(listed(client, staff)) == len(dead) + 1

    System.objects.filter(pk=system.pk).update(state="stopped")
    page = client.get(QUEUE)
    (group,) = page.context["groups"].shown
    assert (group.system, group.count, group.parked, group.is_folded) == (system, len(dead), 1, True)
    assert f"{len(dead)} lanes</strong>" in page.content.decode()
    assert "1 needs a person. The others go on by themselves" in page.content.decode()
    assert [row.lane.pk for row in page.context["page"].rows] == [alive.to_right.pk]
    assert listed(client, staff, unfolded=str(system.pk)) == sorted(
        [alive.to_right.pk, *(lane.pk for lane in dead)]
    )
    assert listed(client, staff, system=str(system.pk)) == [lane.pk for lane in dead]


def test_a_system_with_very_many_lanes_is_folded_only_beside_others(
    client: Client, matter: Matter, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.queue.FOLDED_WHEN_MANY", 1)
    other = scenes.matter(matter.left, matter.right, number=2, right_fields={})
    for one in (matter, other):
        wait(one)
    assert len(listed(client, staff)) == 2

    scenes.queued(matter.to_left, scenes.seen(matter.right_ticket), envelope={"fields": {}})
    assert listed(client, staff) == [matter.to_left.pk]


def test_all_that_fits_is_exported_folded_systems_too(
    client: Client, matter: Matter, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.queue.FOLDED_WHEN_AWAY", 0)
    load_shipped()
    other = scenes.matter(matter.left, matter.right, number=2, right_fields={}, title="=1+1")
    for one in (matter, other):
        wait(one)
        scenes.park(one.to_right, "invalid", "Jira says no.")
    System.objects.filter(pk=matter.right.system_id).update(state="stopped")
    client.force_login(staff)

    text = b"".join(client.get(reverse("delivery_export")).streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [(row["Ticket"], row["Title"], row["What was said"]) for row in rows] == [
        (matter.linked.number, "Orders are charged twice", "Jira says no."),
        (other.linked.number, "'=1+1", "Jira says no."),
    ]
    assert rows[0]["Why it waits"].startswith("Waits for a person")
    assert rows[0]["Reason"] == "invalid"
    assert rows[0]["Handbook"]


def test_a_row_leads_to_why_its_field_does_not_move(client: Client, matter: Matter, staff: User) -> None:
    wait(matter)
    client.force_login(staff)

    address = reverse("ticket_why", args=[matter.linked.pk, "priority"])
    assert address in client.get(QUEUE).content.decode()
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"envelope": {"fields": {"title": "New"}, "changed": ["subject"]}}, "title"),
        (
            {"envelope": {}, "problem": {"code": "unmapped_value", "field": "subject", "message": "No row."}},
            "title",
        ),
        ({"envelope": {"fields": {}, "changed": ["subject"]}}, ""),
        ({"envelope": {"comment": {"body": "x"}}, "operation": "comment"}, ""),
    ],
)
def test_a_row_leads_to_the_field_by_its_name_in_the_dictionary_or_nowhere(
    client: Client, matter: Matter, staff: User, values: dict[str, Any], name: str
) -> None:
    scenes.dictionary(matter.left, title="Title")
    scenes.publish(matter.left, "outgoing", {"title": "subject"})
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket), **values)
    client.force_login(staff)

    found = re.findall(r"/why/([^/]*)/", client.get(QUEUE).content.decode())

    assert found == ([name] if name else [])


def test_why_a_value_did_not_move_leads_to_the_handbook(client: Client, matter: Matter, staff: User) -> None:
    scenes.publish(matter.left, "outgoing", {"priority": "priority"})
    wait(matter)
    scenes.park(matter.to_right, "invalid", "Jira does not take “Highest”.")
    client.force_login(staff)

    why = client.get(reverse("ticket_why", args=[matter.linked.pk, "priority"])).content.decode()

    assert "Jira does not take “Highest”." in why
    assert f'href="{reverse("handbook_list")}?q=invalid">What to do</a>' in why


def test_nothing_is_dropped_by_age_or_number_of_tries(client: Client, matter: Matter, staff: User) -> None:
    """Three years and a hundred thousand tries later it stands there still."""
    wait(matter)
    scenes.park(matter.to_right, "invalid", "No.")
    Lane.objects.filter(pk=matter.to_right.pk).update(
        waits_since=timezone.now() - timedelta(days=1100), tries=100_000
    )
    sweep()
    reconcile()

    assert listed(client, staff) == [matter.to_right.pk]
    assert Delivery.objects.get().state == "new"


def test_an_empty_queue_says_so(client: Client, matter: Matter, staff: User) -> None:
    client.force_login(staff)

    assert "Nothing waits" in client.get(QUEUE).content.decode()
    assert "No lane fits" in client.get(QUEUE, {"state": "held"}).content.decode()


def test_the_queue_costs_the_same_whatever_its_length(
    client: Client, matter: Matter, staff: User, django_assert_num_queries: Any
) -> None:
    for number in range(2, 20):
        other = scenes.matter(matter.left, matter.right, number=number, right_fields={})
        wait(other)
        scenes.park(other.to_right, "invalid", "No.")
    client.force_login(staff)
    client.get(QUEUE)

    # Session, user and whose; memberships, matrix; connections, partners and systems to choose from (counted, listed);
    # partners seen; groups and their systems; page: lanes, heads, sides, articles, budgets, the dictionary; codes with
    # the partners seen, their articles; unfinished actions.
    with django_assert_num_queries(24):
        client.get(QUEUE)


@pytest.mark.parametrize(
    "name", ["delivery_list", "delivery_export", "ticket_list", "ticket_export", "drift_list", "drift_export"]
)
def test_a_row_does_not_load_all_the_fields_of_its_systems(
    client: Client, matter: Matter, staff: User, name: str
) -> None:
    wait(matter)
    scenes.drifted(matter, "Priority", expected="High", found="Low")
    client.force_login(staff)

    with CaptureQueriesContext(connection) as asked:
        answer = client.get(reverse(name))
        assert matter.linked.number in answer.getvalue().decode()

    sides = [one["sql"] for one in asked if 'FROM "integrations_ticketside"' in one["sql"]]
    assert [sql for sql in sides if '"integrations_system"."name"' in sql]
    assert not [sql for sql in sides if '"integrations_system"."metadata"' in sql]


@pytest.mark.parametrize("name", ["delivery_list", "delivery_export"])
def test_words_are_looked_for_once(
    client: Client, matter: Matter, staff: User, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked, find = [], ticket_search.find
    monkeypatch.setattr(ticket_search, "find", lambda *given: asked.append(given[0]) or find(*given))
    wait(matter)
    client.force_login(staff)

    assert "Orders are charged twice" in client.get(reverse(name), {"q": "charged"}).getvalue().decode()
    assert asked == ["charged"]


# --- Acting on several ---


def test_the_chosen_lanes_are_retried(client: Client, matter: Matter, staff: User) -> None:
    wait(matter)
    scenes.park(matter.to_right, "invalid", "No.")

    assert act(client, staff, "retry", lanes=[matter.to_right.pk]) == ["Tried again at once."]
    matter.to_right.refresh_from_db()
    assert matter.to_right.state == "ready"
    entry = AuditEntry.objects.about(matter.linked).get()
    assert (entry.action, entry.changes) == ("retried", {"lane": "the queue to Infinity Jira"})


def test_who_comes_second_gets_a_sentence(client: Client, matter: Matter, staff: User) -> None:
    wait(matter)
    scenes.park(matter.to_right, "invalid", "No.")
    act(client, staff, "retry", lanes=[matter.to_right.pk])

    assert act(client, staff, "retry", lanes=[matter.to_right.pk]) == ["It is next in turn already."]
    assert AuditEntry.objects.about(matter.linked).count() == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"action": "retry"}, "Choose at least one lane."),
        (
            {"action": "explode", "lanes": ["1"]},
            "Select a valid choice. explode is not one of the available choices.",
        ),
        (
            {"action": "retry", "lanes": ["x"]},
            "Select a valid choice. x is not one of the available choices.",
        ),
        ({"action": "retry", "lanes": ["999999"]}, "There is nothing left to act on: somebody was quicker."),
    ],
)
def test_what_makes_no_sense_is_answered_with_a_sentence(
    client: Client, staff: User, data: dict[str, Any], sentence: str
) -> None:
    client.force_login(staff)

    assert said(client.post(reverse("delivery_act"), data, follow=True)) == [sentence]


def test_the_button_leads_back_to_its_page_and_nowhere_else(
    client: Client, matter: Matter, staff: User
) -> None:
    client.force_login(staff)
    data = {"action": "hold", "lanes": [matter.to_right.pk]}
    ticket = reverse("ticket_detail", args=[matter.linked.pk])

    assert client.post(reverse("delivery_act"), {**data, "next": ticket})["Location"] == ticket
    assert (
        client.post(reverse("delivery_act"), {**data, "next": "https://evil.example/"})["Location"] == QUEUE
    )


def test_nobody_acts_on_other_partners_lanes(client: Client, matter: Matter) -> None:
    wait(matter)
    scenes.park(matter.to_right, "invalid", "No.")
    elsewhere = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.stranger())
    agent = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.mercuri())

    assert act(client, elsewhere, "retry", lanes=[matter.to_right.pk]) == [
        "There is nothing left to act on: somebody was quicker."
    ]
    client.force_login(agent)
    assert client.post(reverse("delivery_act"), {"action": "retry", "lanes": [1]}).status_code == 403
    matter.to_right.refresh_from_db()
    assert matter.to_right.state == "parked"


def test_a_mapping_owner_retries_lanes_of_the_own_partner(client: Client, matter: Matter) -> None:
    wait(matter)
    scenes.park(matter.to_right, "invalid", "No.")
    owner = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.mercuri())

    assert act(client, owner, "retry", lanes=[matter.to_right.pk]) == ["Tried again at once."]


# --- One delivery ---


def test_a_delivery_shows_what_would_be_written(client: Client, matter: Matter, staff: User) -> None:
    load_shipped()
    scenes.publish(matter.right, "incoming", {"priority": ("priority", {"critical": "Highest"})})
    delivery = wait(matter)
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        fence=1,
        started_at=NOW,
        outcome="refused",
        status=400,
        message="priority: no",
    )
    scenes.park(matter.to_right, "invalid", "Jira refuses “Highest”.")
    client.force_login(staff)

    response = client.get(reverse("delivery_detail", args=[delivery.pk]))
    text = response.content.decode()

    released, preview = response.context["contents"].fields, response.context["preview"].writes
    assert [(one.label, one.value) for one in released] == [("Priority", "critical")]
    assert [(one.label, one.now, one.then) for one in preview] == [("Priority", "Low", "Highest")]
    for words in (
        "Jira refuses “Highest”.",
        "HTTP 400",
        "priority: no",
        "Skip this delivery",
        "Why it waits",
    ):
        assert words in text


def test_a_delivered_change_shows_what_it_replaced(client: Client, matter: Matter, staff: User) -> None:
    event = scenes.seen(matter.left_ticket, fields={"priority": "urgent"})
    delivery = scenes.arrived(
        matter.to_right, event, wanted={"priority": "Highest"}, pre_image={"priority": "Low"}
    )
    client.force_login(staff)

    response = client.get(reverse("delivery_detail", args=[delivery.pk]))

    assert [(one.now, one.then) for one in response.context["preview"].writes] == [("Low", "Highest")]
    assert "Skip this delivery" not in response.content.decode()


def test_a_comment_shows_its_heading_and_who_will_read_it(
    client: Client, matter: Matter, staff: User
) -> None:
    delivery = wait(matter, operation="comment", envelope=scenes.released("Hello"))
    client.force_login(staff)

    text = client.get(reverse("delivery_detail", args=[delivery.pk])).content.decode()

    assert "Headed “Ann Lee (Mercuri Inc)”." in text
    assert "Customers there can read it." in text


def test_skipping_takes_a_reason_and_leaves_a_trail(client: Client, matter: Matter, staff: User) -> None:
    delivery, _ = wait(matter), wait(matter)
    client.force_login(staff)
    address = reverse("delivery_skip", args=[delivery.pk])

    without = client.post(address, {"reason": ""})
    response = client.post(address, {"reason": "Told by telephone"}, follow=True)

    assert without.status_code == 422
    assert "Say why it is skipped." in without.content.decode()
    assert said(response) == ["Skipped. 1 change still to deliver, in order."]
    assert "Told by telephone" in response.content.decode()
    entry = AuditEntry.objects.about(matter.linked).get()
    assert (entry.action, entry.changes) == (
        "skipped",
        {"lane": "#1 to Infinity Jira", "reason": "Told by telephone"},
    )


def test_skipping_what_was_skipped_meanwhile_is_answered(client: Client, matter: Matter, staff: User) -> None:
    delivery = wait(matter)
    client.force_login(staff)
    address = reverse("delivery_skip", args=[delivery.pk])
    client.post(address, {"reason": "Withdrawn"}, follow=True)

    assert said(client.post(address, {"reason": "Withdrawn"}, follow=True)) == ["It is not waiting any more."]


def test_what_may_have_arrived_is_skipped_only_on_purpose(
    client: Client, matter: Matter, staff: User
) -> None:
    delivery = wait(matter, state="sent")
    client.force_login(staff)
    address = reverse("delivery_skip", args=[delivery.pk])

    refused = client.post(address, {"reason": "Withdrawn"}, follow=True)
    done = client.post(address, {"reason": "Withdrawn", "even_if_unverified": "on"}, follow=True)

    assert "may have arrived already" in said(refused)[0]
    assert said(done) == ["Skipped. Nothing waits in this lane any more."]


def test_skipping_takes_full_control(client: Client, matter: Matter) -> None:
    delivery = wait(matter)
    client.force_login(factories.make_user(role=Role.MAPPING_OWNER, partner=factories.infinity()))

    assert "Skip this delivery" not in client.get(f"/queue/{delivery.pk}/").content.decode()
    assert client.post(f"/queue/{delivery.pk}/skip/", {"reason": "No"}).status_code == 403
    client.force_login(factories.make_user(role=Role.ADMINISTRATOR))
    assert client.get(f"/queue/{delivery.pk}/skip/").status_code == 405


def test_a_failure_is_told_to_the_company_whose_words_it_holds(client: Client, matter: Matter) -> None:
    """The sender's rules quote the sender's value; the receiver's system quotes the receiver's."""
    delivery = wait(
        matter, problem={"code": "unmapped_value", "field": "p", "message": "“p” holds “secret-plan”."}
    )
    scenes.park(matter.to_right, "unmapped_value", "“p” holds “secret-plan”.")
    sender = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.mercuri())
    receiver = factories.make_user(role=Role.MAPPING_OWNER, partner=factories.infinity())
    pages = [QUEUE, f"/queue/{delivery.pk}/", f"/tickets/{matter.linked.pk}/"]

    def shown(user: User, words: str) -> list[bool]:
        client.force_login(user)
        return [words in client.get(address).content.decode() for address in pages]

    assert shown(sender, "secret-plan") == [True, True, True]
    assert shown(receiver, "secret-plan") == [False, False, False]
    assert shown(receiver, "The sender has to look at it.") == [True, True, True]
    Delivery.objects.update(problem={})
    assert shown(sender, "secret-plan") == [False, False, False]
    assert shown(receiver, "secret-plan") == [True, True, True]


def test_a_delivery_of_another_partner_does_not_exist(client: Client, matter: Matter) -> None:
    delivery = wait(matter)
    client.force_login(factories.make_user(role=Role.MAPPING_OWNER, partner=factories.stranger()))

    assert client.get(f"/queue/{delivery.pk}/").status_code == 404
    assert client.get("/queue/999999/").status_code == 404


def test_a_file_that_is_not_taken_is_previewed_as_a_note(client: Client, matter: Matter, staff: User) -> None:
    scenes.publish(matter.right, "incoming", {}, files_never=[".exe"])
    delivery = scenes.queued(
        matter.to_right,
        scenes.seen(matter.left_ticket),
        operation="file",
        envelope={"file": {**scenes.file("plan.exe"), "is_public": True}},
    )
    client.force_login(staff)

    page = client.get(reverse("delivery_detail", args=[delivery.pk]))

    assert page.context["preview"].stand_in == "Files ending in .exe are not taken."
    assert "A note in the place of the file: Files ending in .exe are not taken." in page.content.decode()


CUT = "The text was cut, because it is longer than the system takes."


@pytest.mark.parametrize("is_over", [False, True])
def test_a_delivery_shows_what_its_text_loses_and_where_the_original_is(
    client: Client, matter: Matter, staff: User, is_over: bool
) -> None:
    body = from_plain("word " * 20_000).as_value()
    comment = {"body": body, "is_public": True, "author": "Mina", "at": NOW.isoformat()}
    ends: dict[str, Any] = {"state": "done", "result": {"lost": {"comment": [CUT]}}} if is_over else {}
    delivery = wait(matter, envelope={"comment": comment}, operation="comment", **ends)
    client.force_login(staff)

    text = client.get(reverse("delivery_detail", args=[delivery.pk])).content.decode()

    assert ("Lost on the way:" if is_over else "This will be lost on the way:") in text
    assert f"{CUT} The original is in Zendesk of Mercuri Inc." in text


@pytest.mark.parametrize(
    ("away", "badge"),
    [
        ({}, '<span class="badge bg-azure-lt">On its way</span>'),
        ({"state": "stopped"}, '<span class="badge bg-red-lt">System stopped</span>'),
        ({"state": "paused"}, '<span class="badge bg-orange-lt">System paused</span>'),
        (
            {"paused_until": timezone.now() + timedelta(days=1)},
            '<span class="badge bg-orange-lt">System not answering</span>',
        ),
    ],
)
def test_the_badge_of_a_lane_says_when_its_system_keeps_it(
    client: Client, matter: Matter, staff: User, away: dict[str, Any], badge: str
) -> None:
    wait(matter)
    System.objects.filter(pk=matter.right.system_id).update(**away)
    client.force_login(staff)

    for address in (QUEUE, reverse("ticket_detail", args=[matter.linked.pk])):
        page = client.get(address).content.decode()
        assert page.count(badge) == 1, address
        assert away == {} or "On its way" not in page


def test_the_badge_of_a_lane_of_a_link_that_ended_says_so(
    client: Client, matter: Matter, staff: User
) -> None:
    wait(matter)
    LinkedTicket.objects.update(state="ended")
    client.force_login(staff)

    page = client.get(reverse("ticket_detail", args=[matter.linked.pk])).content.decode()

    assert page.count('<span class="badge bg-orange-lt">Link ended</span>') == 1
