"""The reference scenario: three companies, their people and their ticket tools.  Repeatable: finds what is there.

Infinity Solutions sells clothing online and plays the service integrator.  Mercuri Inc answers its customers, with
Zendesk.  Global Pvt Ltd develops its software, with Azure DevOps; Infinity's architects use ServiceNow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from integrations.connectors.registry import connector_class
from integrations.models import (
    Connection,
    Delivery,
    HookReceipt,
    Lane,
    LinkedTicket,
    Partner,
    System,
    Ticket,
)
from integrations.services.connections import (
    NOTHING_STARTS,
    STARTS,
    SideData,
    activate_connection,
    open_connection,
    resume_connection,
    resume_side,
)
from integrations.services.partners import PartnerData, add_partner
from integrations.services.systems import SystemData, add_system, change_system, make_hook_secret, test_system
from knowledgebase.services import load_shipped
from portal import access
from portal.demo.processes import Trouble
from portal.models import Membership, User
from slas.services import load_reference

Role = Membership.Role

INFINITY, MERCURI, GLOBAL = "Infinity Solutions", "Mercuri Inc", "Global Pvt Ltd"
ZENDESK, JIRA = "Mercuri Zendesk", "Infinity Jira"
SERVICENOW, AZURE_DEVOPS = "Infinity ServiceNow", "Global Azure DevOps"
# What a sandbox calls what a connector asks for, where the two differ.
SIGN_IN_NAMES = {"api_token": "token", "project_key": "project"}
CONNECTION = "Customer service to product team"

PARTNERS = (
    PartnerData(
        INFINITY,
        is_customer=True,
        is_integrator=True,
        contact="Ines Falk, ines@infinity.example",
        note="Sells clothing online; is the customer of the others and plays the service integrator.",
    ),
    PartnerData(
        MERCURI,
        is_customer=True,
        contact="Mara Lund, mara@mercuri.example",
        note="Runs the customer service: what shoppers complain of begins here.",
    ),
    PartnerData(
        GLOBAL,
        is_provider=True,
        contact="Gita Rao, gita@global.example",
        note="Develops and operates the software of the shop.",
    ),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in.  The role is at the person's own company, or at all where it is one for all."""

    username: str
    name: str
    company: str
    role: Role


PEOPLE = (
    Person("ines", "Ines Falk", INFINITY, Role.INTEGRATOR_STAFF),
    Person("adam", "Adam Okafor", INFINITY, Role.ADMINISTRATOR),
    Person("sora", "Sora Lind", INFINITY, Role.SECURITY_OFFICER),
    Person("lena", "Lena Marsh", INFINITY, Role.SERVICE_LEVEL_MANAGER),
    Person("ivan", "Ivan Petrov", INFINITY, Role.MAPPING_OWNER),
    Person("jo", "Jo Park", INFINITY, Role.PARTNER_AGENT),
    Person("mara", "Mara Lund", MERCURI, Role.PARTNER_AGENT),
    Person("max", "Max Brandt", MERCURI, Role.MAPPING_OWNER),
    Person("stella", "Stella Roth", MERCURI, Role.MAPPING_STEWARD),
    Person("milo", "Milo Haas", MERCURI, Role.SERVICE_LEVEL_MANAGER),
    Person("gita", "Gita Rao", GLOBAL, Role.PARTNER_AGENT),
    Person("gopal", "Gopal Iyer", GLOBAL, Role.MAPPING_OWNER),
)


@transaction.atomic
def seed_companies(password: str) -> None:
    """Partners, people with their roles, and the handbook.  Who is there already keeps what was changed."""
    partners = {data.name: _partner(data) for data in PARTNERS}
    # Made once: it is slow on purpose, and everybody has the same.
    made = make_password(password)
    for person in PEOPLE:
        _person(person, partners[person.company], made)
    load_shipped()


def _partner(data: PartnerData) -> Partner:
    return Partner.objects.filter(slug=slugify(data.name)).first() or add_partner(data)


def _person(person: Person, partner: Partner, made_password: str) -> None:
    if User.objects.filter(username=person.username).exists():
        return
    first, _, last = person.name.partition(" ")
    user = User(username=person.username, first_name=first, last_name=last, partner=partner)
    user.email = f"{person.username}@{partner.slug.partition('-')[0]}.example"
    user.password = made_password
    user.save()
    access.grant(user, person.role, partner if access.REACH[person.role].one_partner else None)


@transaction.atomic
def seed_system(company: str, kind: str, name: str, sign_in: Mapping[str, str]) -> System:
    """One company's ticket tool at the address of its sandbox, with the credentials that the sandbox told us."""
    given: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for spec in connector_class(kind).settings:
        value = sign_in.get(SIGN_IN_NAMES.get(spec.name, spec.name))
        if value is not None and spec.name != "base_url":
            given[spec.is_secret][spec.name] = value
    data = SystemData(name, sign_in["url"], settings=given[False], secrets=given[True])
    partner = Partner.objects.get(slug=slugify(company))
    found = System.objects.filter(partner=partner, kind=kind).order_by("pk").first()
    if found is None:
        return add_system(partner, kind, data)
    # It may have been paused, or stopped for the credentials of the last sandbox; a test follows.
    System.objects.filter(pk=found.pk).update(state=System.State.ACTIVE)
    return change_system(found, data)


def ready_system(
    company: str,
    kind: str,
    name: str,
    sign_in: Mapping[str, str],
    *,
    say: Callable[[str], None] = lambda text: None,
) -> System:
    """One company's ticket tool, tested; Trouble when it does not pass."""
    system = seed_system(company, kind, name, sign_in)
    tested = test_system(system, now=timezone.now())
    say(tested.message)
    if not tested.is_ok:
        raise Trouble(f"{name} cannot be used: {tested.message}")
    return system


@transaction.atomic
def seed_connection(left: System, right: System) -> Connection:
    """The connection with the rules that ship, begun by `left`, with its agreement, and running.

    Both systems have been tested.
    """
    note = "Complaints that need the product team; opened when Mercuri raises them."
    connection = connection_between(left, right, CONNECTION, STARTS, note=note)
    load_reference(left.partner, right.partner, [connection])
    return run_connection(connection)


def connection_between(
    left: System, right: System, name: str, left_side: SideData, *, note: str = ""
) -> Connection:
    """The connection of two systems; opened with the rules that ship when there is none."""
    found = Connection.objects.filter(sides__system=left).filter(sides__system=right).first()
    return found or open_connection(
        name, left, right, left_side=left_side, right_side=NOTHING_STARTS, note=note
    )


def run_connection(connection: Connection) -> Connection:
    """Let it run, whatever was done to it in the last demo."""
    activate_connection(connection)
    resume_connection(connection)
    for side in connection.sides.all():
        resume_side(side)
    return connection


def hook_secret_for(system: System) -> str:
    """A new secret for the system's web hooks; the sandbox forgot the last one with everything else."""
    return make_hook_secret(system)


@transaction.atomic
def forget_tickets() -> None:
    """Let tickets begin anew: the sandboxes keep theirs in memory, so those of the last demo are nowhere any more."""
    Delivery.objects.all().delete()
    Lane.objects.all().delete()
    LinkedTicket.objects.all().delete()
    Ticket.objects.all().delete()
    HookReceipt.objects.all().delete()
    System.objects.update(
        poll_cursor="", poll_due_at=None, hooked_at=None, polled_at=None, fail_streak=0, paused_until=None
    )
