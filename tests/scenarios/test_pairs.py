"""Any two of the systems fit together with the rules that ship, untouched; and all of them in a chain.

The engine in this process, on the database of the tests, over real HTTP to the sandboxes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from django.utils import timezone

from integrations.connectors import registry
from integrations.mapping.agreement import Verdict
from integrations.models import Connection, Delivery, Lane, LinkedTicket, Side, System, Ticket, TicketSide
from integrations.richtext import blocks
from integrations.runtime.worker import Worker
from integrations.services.comparison import compare, settled_by
from integrations.services.connections import SideData, activate_connection, open_connection
from integrations.services.systems import SystemData, add_system, open_connector_for, test_system
from integrations.store.tickets import note_hints
from tests import factories
from tests.integrations.connectors.bench import Bench, bench

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = sorted(registry.CONNECTORS)
ROUNDS = 12


@dataclass(slots=True)
class Place:
    """One company's system: its sandbox, and how Concord knows it."""

    desk: Bench
    system: System

    @property
    def kind(self) -> str:
        return self.desk.case.kind

    def act(self, do: str, ticket: str = "", **more: object) -> str:
        """Something the company's people do, told to Concord; the ticket."""
        told = self.desk.act(do, ticket, **more)
        remote_id = ticket or str(told["ticket"])
        note_hints(self.system.pk, [remote_id], timezone.now())
        return remote_id

    def move(self, ticket: str, status: str) -> None:
        """Set a status as a person of the company does."""
        self.act("update", ticket, fields={self.desk.case.status: status})

    def say(self, ticket: str, text: str) -> None:
        """Write a comment that the other company may read."""
        self.act("comment", ticket, comment={"text": text, "public": True})

    def said(self, ticket: str) -> list[str]:
        """The comments in their order."""
        return [blocks.from_value(one.body).plain() for one in self.desk.connector.read(ticket).comments]

    def files(self, ticket: str) -> list[tuple[str, bytes]]:
        """The files and what is in them."""
        found = self.desk.connector.read(ticket)
        files = [*found.attachments, *(file for one in found.comments for file in one.attachments)]
        return [(one.name, b"".join(self.desk.connector.open_attachment(one))) for one in files]

    def title(self, ticket: str) -> object:
        return self.desk.connector.read(ticket).fields[self.desk.case.title]


@dataclass(slots=True)
class Field:
    """Several companies' systems and a worker."""

    places: dict[str, Place] = field(default_factory=dict)
    worker: Worker = field(default_factory=lambda: Worker(open_connector_for))

    def __getitem__(self, kind: str) -> Place:
        return self.places[kind]

    def join(self, left: str, right: str, **trigger: tuple[str, ...]) -> Connection:
        """Connect two systems with the rules that ship; tickets of the left one begin it."""
        connection = open_connection(
            f"{left} – {right}",
            self[left].system,
            self[right].system,
            left_side=SideData(starts=True, trigger=trigger),
            right_side=SideData(starts=False),
        )
        activate_connection(connection)
        return connection

    def settle(self) -> None:
        """Let everything arrive and be read back, without waiting for the moment when it would be."""
        self.carry_on()
        stuck = list(
            Lane.objects.filter(waits=True).values_list(
                "target__system__kind", "failure_code", "failure_message"
            )
        )
        assert not stuck
        assert not Delivery.objects.waiting().exists()

    def carry_on(self) -> None:
        """Let everything arrive and be read back that can."""
        for _ in range(ROUNDS):
            self.worker.drain(for_s=30, linger_s=0)
            soon = timezone.now() + timedelta(minutes=5)
            waiting = Ticket.objects.filter(read_due_at__isnull=False, read_due_at__lte=soon)
            due = Lane.objects.filter(waits=True, state=Lane.State.READY)
            if not waiting.exists() and not due.exists():
                break
            waiting.update(read_due_at=timezone.now())
            due.update(next_at=timezone.now())

    def there(self, kind: str, ticket: str, to: str) -> str:
        """The ticket on the other side of the connection to `to`."""
        sides = TicketSide.objects.filter(
            ticket__remote_id=ticket,
            ticket__system=self[kind].system,
            linked_ticket__connection__in=_joined(to, kind),
        )
        other = TicketSide.objects.filter(linked_ticket__in=sides.values("linked_ticket")).exclude(
            side__system=self[kind].system
        )
        found = other.get().ticket
        assert found is not None
        return found.remote_id


def _joined(one: str, other: str) -> list[int]:
    keys = Side.objects.filter(system__kind=one).values("connection")
    return list(
        Side.objects.filter(system__kind=other, connection__in=keys).values_list("connection", flat=True)
    )


@contextlib.contextmanager
def opened(*kinds: str) -> Iterator[Field]:
    """Sandboxes of these kinds, each a company's own system, tested."""
    found = Field()
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            desk = stack.enter_context(bench(kind))
            told = desk.sandbox.state.sign_in()
            given = {name: str(told[word]) for name, word in desk.case.sign_in.items()}
            specs = {spec.name: spec for spec in registry.connector_class(kind).settings}
            data = SystemData(
                f"{kind} of its company",
                given["base_url"],
                settings={
                    name: value
                    for name, value in given.items()
                    if name != "base_url" and not specs[name].is_secret
                },
                secrets={name: value for name, value in given.items() if specs[name].is_secret},
            )
            system = add_system(factories.make_partner(f"Company {kind}"), kind, data)
            assert test_system(system, now=timezone.now()).is_ok
            system.refresh_from_db()
            found.places[kind] = Place(desk, system)
        yield found


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def unequal(linked: LinkedTicket) -> list[tuple[str, str, str]]:
    """Fields that do not agree in each receiver's own terms."""
    systems = System.objects.filter(sides__ticket_sides__linked_ticket=linked)
    found = compare(linked, settled=settled_by(systems))
    return [(row.name, row.left, row.right) for row in found.rows if row.verdict is Verdict.DIFFERS]


@pytest.mark.parametrize(("left", "right"), [*combinations(KINDS, 2), *combinations(KINDS[::-1], 2)])
def test_a_fresh_connection_of_any_pair_works_without_an_edit(left: str, right: str) -> None:
    with opened(left, right) as places:
        places.join(left, right)
        here, there = places[left], places[right]
        case = here.desk.case
        own = here.act("create", fields={case.title: "Parcels do not arrive", "description": "Since Monday."})
        places.settle()
        other = places.there(left, own, right)

        here.say(own, "The customer calls again.")
        here.move(own, case.journey[0])
        here.act("update", own, fields={case.title: "Parcels arrive late"})
        here.act("attach", own, file={"name": "障害 (1)&,.txt", "text": "a line"})
        places.settle()
        there.say(other, "We look at it.")
        # A person who puts a ServiceNow ticket on hold has to say why.
        for status in there.desk.case.journey[: 1 if right == "servicenow" else 2]:
            there.move(other, status)
            places.settle()

        linked = LinkedTicket.objects.get()
        assert unequal(linked) == []
        assert [here.title(own), there.title(other)] == ["Parcels arrive late"] * 2
        for place, ticket in ((here, own), (there, other)):
            texts = [text for text in place.said(ticket) if "customer calls" in text or "look at it" in text]
            assert ["customer calls" in text for text in texts] == [True, False], (
                place.kind,
                place.said(ticket),
            )
        assert [content for _, content in here.files(own)] == [b"a line"]
        notes = [text for text in there.said(other) if "stays in" in text]
        if right == "servicenow":
            # There everybody sees a ticket's files, and a company's own comments stay internal until it says otherwise.
            assert (len(notes), there.files(other)) == (1, [])
        else:
            assert (notes, [content for _, content in there.files(other)]) == ([], [b"a line"])
        assert len(list(there.desk.sandbox.tickets())) == 1
        assert len(list(here.desk.sandbox.tickets())) == 1


@pytest.mark.parametrize(
    ("label", "goes_to", "stays_away_from"),
    [("network", "servicenow", "azure_devops"), ("bug", "azure_devops", "servicenow")],
)
def test_a_label_routes_a_complaint_through_the_chain_and_the_answer_comes_back(
    label: str, goes_to: str, stays_away_from: str
) -> None:
    with opened("zendesk", "jira", "servicenow", "azure_devops") as places:
        places.join("zendesk", "jira")
        places.join("jira", "servicenow", labels=("network",))
        places.join("jira", "azure_devops", labels=("bug",))
        zendesk, jira, last = places["zendesk"], places["jira"], places[goes_to]
        complaint = zendesk.act("create", fields={"subject": "No parcel", "description": "Since Monday."})
        places.settle()
        issue = places.there("zendesk", complaint, "jira")
        zendesk.act("attach", complaint, file={"name": "障害.txt", "text": "a line"})
        jira.act("update", issue, fields={"labels": [label]})
        places.settle()
        end = places.there("jira", issue, goes_to)

        zendesk.say(complaint, "The customer calls again.")
        places.settle()
        last.say(end, "The cable is mended.")
        last.move(end, last.desk.case.journey[0])
        places.settle()

        assert list(places[stays_away_from].desk.sandbox.tickets()) == []
        assert [place.title(id_) for place, id_ in ((zendesk, complaint), (jira, issue), (last, end))] == [
            "No parcel"
        ] * 3
        for place, ticket in ((zendesk, complaint), (jira, issue), (last, end)):
            told = [text for text in place.said(ticket) if "customer calls" in text or "cable" in text]
            assert ["customer calls" in text for text in told] == [True, False], (
                place.kind,
                place.said(ticket),
            )
        assert [unequal(linked) for linked in LinkedTicket.objects.all()] == [[], []]
        # Who said it stands above it once, however far it travelled.
        [carried] = [text for text in last.said(end) if "customer calls" in text]
        assert carried.count("(Company ") == 1, carried
        assert [content for _, content in jira.files(issue)] == [b"a line"]
        if goes_to == "azure_devops":
            assert [content for _, content in last.files(end)] == [b"a line"]
