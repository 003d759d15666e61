"""The list of linked tickets, its export, and the page of one matter."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import LinkedTicket, Ticket, TicketSide, Withheld
from portal import audit
from portal.models import AuditEntry, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matter() -> Matter:
    """LT-…: raised at Mercuri, whose title Infinity does not get to see."""
    left, right = scenes.mercuri_and_infinity()
    found = scenes.matter(left, right, left_fields={}, right_fields={}, title="Ms Miller is charged twice")
    Ticket.objects.filter(pk=found.right_ticket.pk).update(title="Customer is charged twice", key="INF-7")
    return found


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


@pytest.fixture
def agent() -> User:
    """Somebody at Infinity who is no staff of the integrator."""
    return factories.make_user("raj", role=Role.PARTNER_AGENT, partner=factories.infinity())


def page(client: Client, user: User, name: str, *args: Any, **query: Any) -> str:
    client.force_login(user)
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def exported(client: Client, user: User, **query: str) -> list[list[str]]:
    client.force_login(user)
    response = client.get(reverse("ticket_export"), query)
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))[1:]


def numbers(rows: list[list[str]]) -> list[str]:
    return [row[0] for row in rows]


def test_staff_see_both_records_of_every_ticket(client: Client, matter: Matter, staff: User) -> None:
    text = page(client, staff, "ticket_list")

    assert "Ms Miller is charged twice" in text
    assert "#1 <span" in text
    assert "INF-7 <span" in text
    assert "1 ticket<" in text


def test_a_partners_agent_sees_its_own_title_and_key_only(
    client: Client, matter: Matter, agent: User
) -> None:
    text = page(client, agent, "ticket_list")

    assert "Customer is charged twice" in text
    assert "INF-7 <span" in text
    assert "Miller" not in text
    assert "#1 <span" not in text
    # The queue is not the agents' business.
    assert "nothing waits" not in text


def test_somebody_of_another_partner_sees_none(client: Client, matter: Matter) -> None:
    stranger = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.stranger())

    assert "No linked tickets yet" in page(client, stranger, "ticket_list")
    assert exported(client, stranger) == []


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ({"q": "miller"}, True),
        ({"q": "INF-7"}, True),
        ({"q": "#1"}, True),
        ({"q": "lt-{pk}"}, True),
        ({"q": "LT-999999"}, False),
        ({"q": "refund"}, False),
        ({"state": "active"}, True),
        ({"state": "paused"}, False),
        ({"state": "nonsense"}, True),
        ({"queue": "waiting"}, True),
        ({"queue": "parked"}, False),
        ({"connection": "{connection}"}, True),
        ({"partner": "{mercuri}"}, True),
        ({"partner": "{stranger}"}, False),
    ],
)
def test_the_list_can_be_narrowed(
    client: Client, matter: Matter, staff: User, query: dict[str, str], is_found: bool
) -> None:
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket))
    # A choice is offered only where there is one to make.
    factories.make_connection(
        factories.make_system(factories.globally(), "jira"),
        factories.make_system(factories.stranger(), "zendesk"),
    )
    values = {
        "pk": matter.linked.pk,
        "connection": matter.linked.connection_id,
        "mercuri": factories.mercuri().pk,
        "stranger": factories.stranger().pk,
    }

    rows = exported(client, staff, **{name: text.format(**values) for name, text in query.items()})

    assert numbers(rows) == ([matter.linked.number] if is_found else [])


def test_an_agent_finds_tickets_by_its_own_words_only(client: Client, matter: Matter, agent: User) -> None:
    assert numbers(exported(client, agent, q="customer")) == [matter.linked.number]
    assert numbers(exported(client, agent, q="inf-7")) == [matter.linked.number]
    assert exported(client, agent, q="miller") == []
    assert exported(client, agent, q="#1") == []
    # Nor can it ask what waits.
    assert numbers(exported(client, agent, queue="parked")) == [matter.linked.number]


def test_the_order_can_be_chosen(client: Client, matter: Matter, staff: User, agent: User) -> None:
    others = [
        scenes.matter(
            matter.left, matter.right, right_fields={}, number=number, at=NOW + timedelta(hours=hours)
        ).linked
        for number, hours in ((2, 2), (3, 1))
    ]
    first, second, third = matter.linked.number, others[0].number, others[1].number

    for user in (staff, agent):
        assert numbers(exported(client, user)) == [second, third, first]
        assert numbers(exported(client, user, order="oldest")) == [first, third, second]
        assert numbers(exported(client, user, order="newest")) == [third, second, first]
        assert numbers(exported(client, user, order="first")) == [first, second, third]


def test_a_ticket_that_two_of_ones_partners_share_comes_once(client: Client, matter: Matter) -> None:
    both = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.mercuri())
    factories.access.grant(both, Role.PARTNER_AGENT, factories.infinity())

    assert numbers(exported(client, both)) == [matter.linked.number]
    # Both titles are its own; the first one stands.
    assert "Ms Miller is charged twice" in page(client, both, "ticket_list")


def test_the_export_has_all_pages_and_no_formulas(
    client: Client, matter: Matter, staff: User, agent: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    LinkedTicket.objects.update(title="=cmd|' /C calc'!A0")
    scenes.matter(matter.left, matter.right, number=2, at=NOW + timedelta(hours=1))
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket))
    scenes.park(matter.to_right, "invalid", "No.")

    rows = exported(client, staff)

    assert [row[1] for row in rows] == ["Orders are charged twice", "'=cmd|' /C calc'!A0"]
    assert rows[1][4:10] == ["Mercuri Inc", "Zendesk", "#1", "Infinity Solutions", "Jira", "INF-7"]
    assert rows[1][12:] == ["1", "yes"]
    # Infinity's agent learns neither Mercuri's key nor what waits.
    assert exported(client, agent)[1][4:] == [
        *("Mercuri Inc", "Zendesk", "", "Infinity Solutions", "Jira", "INF-7"),
        *("2026-11-23T12:00:00+00:00", "2026-11-23T12:00:00+00:00"),
    ]


def test_pages_are_linked_by_key_and_keep_the_filters(
    client: Client, matter: Matter, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2, 53):
        scenes.matter(matter.left, matter.right, number=number, at=NOW - timedelta(minutes=number))
    client.force_login(staff)

    first = client.get(reverse("ticket_list"), {"state": "active"})
    link = next(part for part in first.content.decode().split('"') if "page=n_" in part).replace("&amp;", "&")
    second = client.get(reverse("ticket_list") + link)

    assert [len(answer.context["page"].rows) for answer in (first, second)] == [50, 2]
    assert "state=active" in link


def test_the_list_costs_the_same_whatever_its_length(
    client: Client, matter: Matter, staff: User, django_assert_num_queries: Any
) -> None:
    for number in range(2, 30):
        scenes.matter(matter.left, matter.right, right_fields={}, number=number)
    client.force_login(staff)

    # Guardian keeps content types in mind between requests.
    client.get(reverse("ticket_list"))

    # Session, user and whose; memberships, matrix; connections to choose from (counted, one is none to choose);
    # partners to choose from (counted, listed); partners that the person sees (for the page, for the count); keys
    # of the page; sides, tickets, lanes; clocks: partners seen for the agreements, these, partners seen for the
    # clocks, their agreements, the clocks, the terms; count.
    with django_assert_num_queries(22):
        client.get(reverse("ticket_list"))


# --- One matter ---


def test_staff_see_the_whole_matter(client: Client, matter: Matter, staff: User) -> None:
    opened = scenes.seen(matter.left_ticket, minute=-90, kind="created")
    scenes.arrived(matter.to_right, opened, operation="create", envelope={"fields": {}}, after_s=8)
    late = scenes.seen(
        matter.left_ticket, minute=-9, comments=[scenes.comment("Any <b>news</b>?", files=["a.txt"])]
    )
    scenes.queued(matter.to_right, late, operation="comment", envelope=scenes.released("Any <b>news</b>?"))
    scenes.park(matter.to_right, "forbidden", "The account may not comment.")

    text = page(client, staff, "ticket_detail", matter.linked.pk)

    assert "Opened the ticket" in text
    assert "after 8 s" in text
    assert "Any &lt;b&gt;news&lt;/b&gt;?" in text
    assert "a.txt" in text
    assert "Field comparison" in text
    assert "The account may not comment." in text
    assert 'value="retry"' in text


def test_a_partners_agent_sees_neither_comparison_nor_queue(
    client: Client, matter: Matter, agent: User
) -> None:
    late = scenes.seen(matter.left_ticket, fields={"subject": "Ms Miller is furious"})
    scenes.queued(matter.to_right, late, envelope={"fields": {"title": "Ms Miller is furious"}})
    scenes.park(matter.to_right, "forbidden", "The account may not.")

    text = page(client, agent, "ticket_detail", matter.linked.pk)

    assert "Customer is charged twice" in text
    for hidden in ("Miller", "#1", "Field comparison", "Queue", "The account may not.", "Synchronise now"):
        assert hidden not in text


def test_htmx_gets_the_part_that_changes(client: Client, matter: Matter, staff: User) -> None:
    client.force_login(staff)
    address = reverse("ticket_detail", args=[matter.linked.pk])

    part = client.get(address, headers={"HX-Request": "true"})
    whole = client.get(address)

    assert "<html" not in part.content.decode()
    assert "Linked records" in part.content.decode()
    assert "<html" in whole.content.decode()
    assert "HX-Request" in part["Vary"]
    assert "HX-Request" in whole["Vary"]


def test_earlier_entries_are_a_link_away(client: Client, matter: Matter, staff: User) -> None:
    for minute in range(55):
        scenes.seen(matter.left_ticket, minute=-minute)
    client.force_login(staff)
    address = reverse("ticket_detail", args=[matter.linked.pk])

    older = client.get(address).context["page"].timeline.older
    found = client.get(address, {"older": older})

    assert len(found.context["page"].timeline.entries) == 5
    # What is looked up in the past does not refresh itself.
    assert "every 10s" not in found.content.decode()


def test_a_case_goes_on_as_far_as_one_may_follow_it(
    client: Client, matter: Matter, staff: User, agent: User
) -> None:
    jira = factories.make_system(factories.globally(), "jira", name="Global Jira")
    left, right = scenes.connection(matter.right.system, jira)
    onward = scenes.matter(left, right, right_fields={}, number=9)
    TicketSide.objects.filter(linked_ticket=onward.linked, side=left).update(ticket=matter.right_ticket)
    mercuris = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.mercuri())

    def others(user: User) -> list[str]:
        client.force_login(user)
        page = client.get(reverse("ticket_detail", args=[matter.linked.pk])).context["page"]
        return [row.number for row in page.others]

    assert others(staff) == [onward.linked.number]
    # Infinity takes part in both; that the matter went on to Global is not Mercuri's to see.
    assert others(agent) == [onward.linked.number]
    assert others(mercuris) == []


def test_pausing_and_resuming_is_said_and_kept_in_the_trail(
    client: Client, matter: Matter, staff: User
) -> None:
    client.force_login(staff)

    paused = client.post(reverse("ticket_pause", args=[matter.linked.pk]), follow=True)
    again = client.post(reverse("ticket_pause", args=[matter.linked.pk]), follow=True)
    resumed = client.post(reverse("ticket_resume", args=[matter.linked.pk]), follow=True)

    assert "Paused. Changes on both sides are collected" in paused.content.decode()
    assert "Nothing to do: it is paused." in again.content.decode()
    assert "Resumed. What was collected is delivered now" in resumed.content.decode()
    trail = AuditEntry.objects.about(matter.linked).values_list("actor_label", "action")
    # Pressing a button that did nothing leaves no trail.
    assert list(trail) == [("rosa", "resumed"), ("rosa", "paused")]
    assert audit.verify_chain().holds


def test_synchronising_now_makes_both_tickets_due(client: Client, matter: Matter, staff: User) -> None:
    client.force_login(staff)

    answer = client.post(reverse("ticket_synchronise", args=[matter.linked.pk]), follow=True)

    assert "Both systems are asked now." in answer.content.decode()
    assert not Ticket.objects.filter(read_due_at=None).exists()


@pytest.mark.parametrize("action", ["ticket_pause", "ticket_resume", "ticket_synchronise"])
def test_who_may_only_look_cannot_act(client: Client, matter: Matter, agent: User, action: str) -> None:
    client.force_login(agent)
    address = reverse(action, args=[matter.linked.pk])

    assert client.post(address).status_code == 403
    assert client.get(address).status_code == 405
    client.force_login(factories.make_user(role=Role.PARTNER_AGENT, partner=factories.stranger()))
    assert client.get(reverse("ticket_detail", args=[matter.linked.pk])).status_code == 404


def test_a_right_at_one_partner_opens_nothing_of_another(client: Client, matter: Matter) -> None:
    """A security officer reaches all partners but reads no tickets; being agent of one partner does not change that."""
    officer = factories.make_user(role=Role.SECURITY_OFFICER)
    factories.access.grant(officer, Role.PARTNER_AGENT, factories.stranger())
    client.force_login(officer)

    assert client.get(reverse("ticket_detail", args=[matter.linked.pk])).status_code == 403
    assert exported(client, officer) == []


def test_the_page_of_a_matter_costs_the_same_whatever_its_length(
    client: Client, matter: Matter, staff: User, django_assert_max_num_queries: Any
) -> None:
    for minute in range(40):
        change = scenes.seen(matter.left_ticket, minute=-minute)
        scenes.arrived(matter.to_right, change, envelope={"fields": {"title": "New"}})
    client.force_login(staff)

    # Session, user and whose; memberships, matrix; ticket, partners at both ends; sides, lanes; comparison: sides,
    # published sets with rules, maps and pairs, what is under way, dictionary, counts, files, what was undone, credentials of both systems;
    # agreements, facts of the clocks; timeline: sides, changes, deliveries, files that stayed; trail; other links of the case.
    with django_assert_max_num_queries(34):
        client.get(reverse("ticket_detail", args=[matter.linked.pk]))


# --- Files ---


def carried(matter: Matter, name: str, **more: Any) -> None:
    """A file of Mercuri's that has arrived."""
    change = scenes.seen(matter.left_ticket, attachments=[scenes.file(name)])
    envelope = {"file": scenes.file(name)}
    scenes.arrived(matter.to_right, change, operation="file", envelope=envelope, **more)


def test_the_page_tells_what_of_a_file_really_travelled(client: Client, matter: Matter, staff: User) -> None:
    digest = "5e" * 32
    carried(matter, "障害 (1)&,.txt", result={"file": {"sha256": digest, "size_bytes": 4096}})

    told = page(client, staff, "ticket_detail", matter.linked.pk)

    assert "障害 (1)&amp;,.txt · 4.0" in told
    assert digest in told
    assert "note instead" not in told
    assert "A note stands in its place" not in told


def test_the_page_tells_why_a_note_stands_in_the_place_of_a_file(
    client: Client, matter: Matter, staff: User, agent: User
) -> None:
    reason = "Files ending in .exe are not taken."
    carried(matter, "plan.exe", wanted={"stand_in": {"code": "file_type_refused", "message": reason}})

    for person in (staff, agent):
        told = page(client, person, "ticket_detail", matter.linked.pk)
        assert f"A note stands in its place: {reason}" in told
        assert "note instead" in told
        assert "SHA-256" not in told


def test_the_other_company_does_not_learn_the_name_of_a_file_that_stayed(
    client: Client, matter: Matter, staff: User, agent: User
) -> None:
    change = scenes.seen(
        matter.left_ticket,
        attachments=[scenes.file("secret plan.exe")],
        comments=[scenes.comment("As agreed.", files=["secret list.exe"])],
    )
    for file_id in ("secret plan.exe", "secret list.exe"):
        Withheld.objects.create(
            event=change, linked_ticket=matter.linked, file_id=file_id, code="file_type_refused", reason="No."
        )
    owner = factories.make_user("mo", role=Role.PARTNER_AGENT, partner=matter.left.system.partner)

    assert "secret" not in page(client, agent, "ticket_detail", matter.linked.pk)
    told = page(client, staff, "ticket_detail", matter.linked.pk)
    assert "secret" not in told
    company = matter.left.system.partner
    assert told.count(f"A file stayed at {company}: No.") == 2
    own = page(client, owner, "ticket_detail", matter.linked.pk)
    assert f"secret plan.exe stayed at {company}: No." in own
    assert f"secret list.exe stayed at {company}: No." in own


def test_the_timeline_tells_what_a_text_lost_and_where_the_original_is(
    client: Client, matter: Matter, staff: User
) -> None:
    event = scenes.seen(matter.left_ticket, fields={"description": "Long."})
    lost = {"description": ["A table was taken apart."], "title": ["The text was cut."]}
    scenes.queued(
        matter.to_right,
        event,
        envelope={"fields": {"description": "Long."}, "changed": ["description"]},
        state="done",
        result={"lost": lost},
    )

    told = page(client, staff, "ticket_detail", matter.linked.pk)

    assert "Lost on the way: Description: A table was taken apart. Title: The text was cut." in told
    assert f"The original is in {matter.left_ticket.system.name} of Mercuri Inc" in told


def test_a_ticket_that_is_gone_is_told_in_words_on_its_page_and_in_the_list(
    client: Client, matter: Matter, staff: User
) -> None:
    words = "The ticket was archived in ServiceNow."
    Ticket.objects.filter(pk=matter.right_ticket.pk).update(
        is_gone=True, refused_at=NOW, refused_because=words
    )

    told = page(client, staff, "ticket_detail", matter.linked.pk)
    assert "Gone there since" in told
    assert words in told
    assert "gone there" in page(client, staff, "ticket_list")
    agent = factories.make_user("mina", role=Role.PARTNER_AGENT, partner=matter.left.system.partner)
    # Mercuri's own people are not told what Infinity's system says.
    assert words not in page(client, agent, "ticket_detail", matter.linked.pk)
    assert "gone there" not in page(client, agent, "ticket_list")

    Ticket.objects.filter(pk=matter.right_ticket.pk).update(is_gone=False)
    assert "Not shown to us since" in page(client, staff, "ticket_detail", matter.linked.pk)
