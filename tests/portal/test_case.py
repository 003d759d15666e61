"""A case over three companies: one story, who held it when, and what each of them sees of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import LinkedTicket, PartnerTicket, Ticket, TicketSide
from integrations.services.timeline.viewers import Viewer
from portal.case import Case, case_of, links_of
from portal.models import User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

STATUSES = {"new": "new", "open": "open", "pending": "pending", "solved": "resolved"}
JIRA_STATUSES = {"To Do": "new", "In Progress": "open", "Done": "resolved"}
WORK_STATES = {"New": "new", "Active": "open", "Closed": "resolved"}


@pytest.fixture
def first() -> Matter:
    """From Mercuri's Zendesk to Infinity's Jira, an hour ago; handed over ten minutes later."""
    left, right = scenes.mercuri_and_infinity()
    scenes.publish(left, "outgoing", {"status": ("status", STATUSES)})
    scenes.publish(right, "outgoing", {"status": ("status", JIRA_STATUSES)})
    made = scenes.matter(left, right, left_fields={"status": "new"}, right_fields={"status": "To Do"})
    Ticket.objects.filter(pk=made.left_ticket.pk).update(opened_at=NOW - timedelta(minutes=60))
    Ticket.objects.filter(pk=made.right_ticket.pk).update(opened_at=NOW - timedelta(minutes=50))
    return made


@pytest.fixture
def second(first: Matter) -> LinkedTicket:
    """The same matter goes on from Infinity's Jira to Global's Azure DevOps, half an hour ago."""
    plant = factories.make_system(factories.globally(), "azure_devops", name="Global Azure DevOps")
    one, other = scenes.connection(first.right.system, plant)
    scenes.publish(other, "outgoing", {"status": ("status", WORK_STATES)})
    scenes.publish(one, "outgoing", {"status": ("status", JIRA_STATUSES)})
    linked = LinkedTicket.objects.create(
        connection=one.connection, title="Orders are charged twice", origin=one, opened_at=NOW, updated_at=NOW
    )
    item = Ticket.objects.create(
        system=plant, remote_id="77", key="77", opened_at=NOW - timedelta(minutes=30), actual={"state": "New"}
    )
    for side, ticket in ((one, first.right_ticket), (other, item)):
        TicketSide.objects.create(linked_ticket=linked, side=side, ticket=ticket)
        scenes._lane(linked, side, NOW)
    for company in (one.system.partner_id, plant.partner_id):
        PartnerTicket.objects.create(partner_id=company, linked_ticket=linked, updated_at=NOW)
    return linked


def ines() -> User:
    """Somebody of the integrator's staff."""
    return User.objects.filter(username="ines").first() or factories.make_user(
        "ines", role=Role.INTEGRATOR_STAFF
    )


def seen(linked: LinkedTicket, viewer: Viewer | None = None) -> Case:
    return case_of(linked, viewer or Viewer(sees_all=True), user=ines(), now=NOW)


def test_linked_tickets_that_share_a_ticket_are_one_case(first: Matter, second: LinkedTicket) -> None:
    staff = ines()
    everything = Viewer(sees_all=True)

    assert links_of(first.linked, staff, everything) == links_of(second, staff, everything)
    assert [(record.partner, record.key) for record in seen(first.linked).records] == [
        ("Mercuri Inc", "#1"),
        ("Infinity Solutions", "INF-1"),
        ("Global Pvt Ltd", "77"),
    ]


def test_the_matter_is_held_by_one_company_at_a_time_and_the_stretches_add_up(
    first: Matter, second: LinkedTicket
) -> None:
    item = Ticket.objects.get(remote_id="77")
    scenes.seen(item, minute=-10, fields={"state": "Closed"})
    scenes.publish(second.sides.get(ticket=item).side, "outgoing", {"status": ("state", WORK_STATES)})

    case = seen(first.linked)

    assert [(one.partner, one.length.seconds // 60, one.why) for one in case.held] == [
        ("Mercuri Inc", 10, "#1 at Mercuri Inc was opened"),
        ("Infinity Solutions", 20, "handed over: INF-1 at Infinity Solutions was made"),
        ("Global Pvt Ltd", 20, "handed over: 77 at Global Pvt Ltd was made"),
        ("Infinity Solutions", 10, "77 at Global Pvt Ltd became “resolved”"),
    ]
    assert sum((length for _, length in case.totals), timedelta()) == timedelta(hours=1)
    assert case.drawing is not None
    assert [line.label for line in case.drawing.lines] == [
        "Mercuri Inc",
        "Infinity Solutions",
        "Global Pvt Ltd",
    ]


def test_a_change_is_told_once_with_everything_that_followed_from_it(
    first: Matter, second: LinkedTicket
) -> None:
    raised = scenes.seen(first.left_ticket, minute=-20, fields={"priority": "urgent"})
    written = scenes.arrived(first.to_right, raised, envelope={"fields": {"priority": "critical"}})
    # What Infinity's Jira shows of it is our own write, on its way to Global.
    passed_on = scenes.seen(
        first.right_ticket, minute=-19, fields={"priority": "Highest"}, caused_by=written, actor="Concord"
    )
    onward = second.lanes.exclude(target__system=first.right.system).get()
    scenes.arrived(onward, passed_on, envelope={"fields": {"priority": "critical"}})
    said = scenes.seen(first.right_ticket, minute=-5, comments=[scenes.comment("We look at it.")])
    for lane in (first.to_left, onward):
        scenes.arrived(lane, said, operation="comment", envelope=scenes.released("We look at it."))

    entries = seen(second).timeline.entries

    assert [(entry.event_id, sorted(sent.partner for sent in entry.sent)) for entry in entries] == [
        (said.pk, ["Global Pvt Ltd", "Mercuri Inc"]),
        (raised.pk, ["Global Pvt Ltd", "Infinity Solutions"]),
    ]


def test_a_change_that_waits_at_the_second_connection_is_told_where_it_began(
    client: Client, first: Matter, second: LinkedTicket
) -> None:
    raised = scenes.seen(first.left_ticket, minute=-20, fields={"priority": "urgent"})
    written = scenes.arrived(first.to_right, raised, envelope={"fields": {"priority": "critical"}})
    echo = scenes.seen(first.right_ticket, minute=-19, fields={"priority": "Highest"}, caused_by=written)
    onward = second.lanes.exclude(target__system=first.right.system).get()
    scenes.queued(onward, echo, envelope={"fields": {"priority": "critical"}})
    scenes.park(onward, "invalid", "Azure DevOps does not take “critical”.")

    def told(viewer: Viewer) -> list[tuple[str, str, str]]:
        (entry,) = seen(second, viewer).timeline.entries
        return [(sent.system, sent.fate, sent.failure) for sent in entry.sent]

    waits = "The receiver has to look at it; until then it waits, and what follows waits behind it."
    assert told(Viewer(sees_all=True)) == [
        ("Infinity Jira", "delivered", ""),
        ("Global Azure DevOps", "needs a person", "Azure DevOps does not take “critical”."),
    ]
    # Infinity is told of what left its Jira; Mercuri, whose change it was, of its own connection alone.
    assert told(Viewer(frozenset({factories.infinity().pk}))) == [
        ("Infinity Jira", "delivered", ""),
        ("Azure DevOps", "needs a person", waits),
    ]
    (entry,) = seen(first.linked, Viewer(frozenset({factories.mercuri().pk}))).timeline.entries
    assert [(sent.system, sent.fate) for sent in entry.sent] == [("Jira", "delivered")]
    client.force_login(ines())
    page = client.get(reverse("ticket_case", args=[first.linked.pk])).content.decode()
    assert "Global Pvt Ltd · Global Azure DevOps: needs a person" in page


def test_a_company_sees_its_own_links_only_and_no_stretches(first: Matter, second: LinkedTicket) -> None:
    mercuri = Viewer(frozenset({factories.mercuri().pk}))

    case = seen(first.linked, mercuri)

    assert [one.pk for one in case.links] == [first.linked.pk]
    assert [(record.partner, record.key) for record in case.records] == [
        ("Mercuri Inc", "#1"),
        ("Infinity Solutions", ""),
    ]
    assert (case.held, case.cards, case.parties) == ((), (), ())


def test_staff_look_at_it_through_one_companys_eyes(
    client: Client, first: Matter, second: LinkedTicket
) -> None:
    scenes.seen(first.right_ticket, minute=-5, comments=[scenes.comment("Only for us.", is_public=False)])
    scenes.seen(Ticket.objects.get(remote_id="77"), minute=-4, fields={"state": "Active"}, actor="Gita Rao")
    client.force_login(ines())
    address = reverse("ticket_case", args=[first.linked.pk])

    note = scenes.comment("She is close to cancelling.", is_public=False)
    scenes.seen(first.left_ticket, minute=-3, comments=[note])
    whole = client.get(address).content.decode()
    own = client.get(address, {"as": factories.mercuri().pk}).content.decode()
    odd = client.get(address, {"as": "999999"}).content.decode()

    assert "Gita Rao" in whole
    assert "As Mercuri Inc sees it" in whole
    assert "What Mercuri Inc’s own people see" in own
    assert "Gita Rao" not in own
    assert "Global Pvt Ltd" not in own.split('id="live"')[1]
    assert "Gita Rao" in odd
    # Whoever looks through a company's eyes still does not read its notes.
    assert "An internal note stayed at Mercuri Inc" in own
    assert "close to cancelling" not in whole + own


def test_a_long_story_goes_on_page_by_page(first: Matter, second: LinkedTicket) -> None:
    for number in range(70):
        ticket = (first.left_ticket, first.right_ticket)[number % 2]
        scenes.seen(ticket, minute=-number // 2, fields={"priority": "high"})
    staff = ines()
    everything = Viewer(sees_all=True)

    page = case_of(first.linked, everything, user=staff, now=NOW).timeline
    rest = case_of(first.linked, everything, user=staff, now=NOW, older_than=page.older).timeline

    keys = [entry.event_id for entry in (*page.entries, *rest.entries)]
    assert (len(page.entries), len(keys), len(set(keys)), rest.older) == (50, 70, 70, "")
