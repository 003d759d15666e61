"""Makes what tests need: partners, systems, connections and people, and the cast that most tests are about.

Infinity sells clothing online: it is the customer, and plays the service integrator.  Mercuri answers its customers
and has Zendesk; Global builds its software and has Jira.  Stranger Ltd takes part too, and has nothing to do with
the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from integrations.connectors import registry
from integrations.models import Connection, Partner, Side, System
from integrations.services.connections import NOTHING_STARTS, STARTS, SideData, open_connection
from integrations.services.systems import SystemData, add_system
from integrations.signatures import Signer
from portal import access
from portal.models import Drill, Membership, User

Role = Membership.Role

# Sessions are opened with `client.force_login(user)`; for the sign-in page itself there is this.
PASSWORD = "a-long-enough-password"

_numbers = itertools.count(1)

# What a system of each kind asks for besides its address.
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "zendesk": {"email": "concord@mercuri.example"},
    "jira": {"email": "concord@global.example", "project_key": "NET", "issue_type": "Task"},
    "servicenow": {"username": "concord.integration", "tables": "incident"},
    "azure_devops": {"project": "Support", "work_item_type": "Bug", "notify": "no"},
}
SECRETS: Mapping[str, Mapping[str, str]] = {
    "zendesk": {"api_token": "zendesk-token-0123456789abcd"},
    "jira": {"api_token": "jira-token-0123456789abcdef"},
    "servicenow": {"password": "servicenow-password-0123456789"},
    "azure_devops": {"api_token": "azure-devops-token-0123456789"},
}

FIELDS: Mapping[str, Sequence[dict[str, Any]]] = {
    "zendesk": [
        {"name": "subject", "label": "Subject", "kind": "text"},
        {"name": "description", "label": "Description", "kind": "rich_text", "is_create_only": True},
        {
            "name": "status",
            "label": "Status",
            "kind": "status",
            "values": ["new", "open", "pending", "hold", "solved", "closed"],
        },
        {
            "name": "priority",
            "label": "Priority",
            "kind": "choice",
            "values": ["low", "normal", "high", "urgent"],
        },
        {
            "name": "type",
            "label": "Type",
            "kind": "choice",
            "values": ["question", "incident", "problem", "task"],
        },
        {"name": "tags", "label": "Tags", "kind": "labels"},
        {"name": "assignee", "label": "Assignee", "kind": "person"},
        {"name": "requester", "label": "Requester", "kind": "person"},
        {"name": "custom_field_360000000003", "label": "Partner reference", "kind": "text"},
    ],
    "jira": [
        {"name": "summary", "label": "Summary", "kind": "text", "max_length": 255, "is_required": True},
        {"name": "description", "label": "Description", "kind": "rich_text", "max_length": 32767},
        {
            "name": "status",
            "label": "Status",
            "kind": "status",
            "values": ["To Do", "In Progress", "In Review", "Done"],
        },
        {
            "name": "priority",
            "label": "Priority",
            "kind": "choice",
            "values": ["Highest", "High", "Medium", "Low", "Lowest"],
        },
        {"name": "issuetype", "label": "Issue Type", "kind": "choice", "values": ["Task"]},
        {"name": "labels", "label": "Labels", "kind": "labels"},
        {"name": "assignee", "label": "Assignee", "kind": "person"},
    ],
    "servicenow": [
        {
            "name": "short_description",
            "label": "Short description",
            "kind": "text",
            "max_length": 160,
            "is_required": True,
        },
        {"name": "description", "label": "Description", "kind": "rich_text", "max_length": 4000},
        {
            "name": "state",
            "label": "State",
            "kind": "status",
            "values": ["New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"],
        },
        {
            "name": "priority",
            "label": "Priority",
            "kind": "choice",
            "values": ["1 - Critical", "2 - High", "3 - Moderate", "4 - Low", "5 - Planning"],
        },
        {"name": "assigned_to", "label": "Assigned to", "kind": "person"},
        {
            "name": "type",
            "label": "Type",
            "kind": "choice",
            "values": ["incident"],
            "is_create_only": True,
        },
    ],
    "azure_devops": [
        {"name": "title", "label": "Title", "kind": "text", "max_length": 255, "is_required": True},
        {"name": "description", "label": "Repro Steps", "kind": "rich_text", "max_length": 1000000},
        {
            "name": "status",
            "label": "State",
            "kind": "status",
            "values": ["New", "Active", "Resolved", "Closed"],
        },
        {"name": "priority", "label": "Priority", "kind": "choice", "values": ["1", "2", "3", "4"]},
        {
            "name": "type",
            "label": "Work Item Type",
            "kind": "choice",
            "values": ["Bug", "User Story", "Task", "Issue"],
            "is_create_only": True,
        },
        {"name": "tags", "label": "Tags", "kind": "labels"},
        {"name": "assignee", "label": "Assigned To", "kind": "person"},
        {"name": "Custom.PartnerReference", "label": "Partner reference", "kind": "text"},
    ],
}


# --- Partners ---


def make_partner(
    name: str = "",
    *,
    is_customer: bool = False,
    is_integrator: bool = False,
    is_provider: bool = True,
    contact: str = "",
) -> Partner:
    """A partner; the same one again when the name is asked for twice."""
    number = next(_numbers)
    name = name or f"Partner {number}"
    found = Partner.objects.filter(name=name).first()
    return found or Partner.objects.create(
        name=name,
        slug=f"partner-{number}",
        is_customer=is_customer,
        is_integrator=is_integrator,
        is_provider=is_provider,
        contact=contact,
    )


def infinity() -> Partner:
    """The customer organisation, which is also the service integrator."""
    return make_partner("Infinity Solutions", is_customer=True, is_integrator=True, is_provider=False)


def mercuri() -> Partner:
    """The provider of customer service, with Zendesk."""
    return make_partner("Mercuri Inc")


def globally() -> Partner:
    """The provider of software development, with Jira.  (`global` is a word of Python's.)"""
    return make_partner("Global Pvt Ltd")


def stranger() -> Partner:
    """A partner that has nothing to do with the others."""
    return make_partner("Stranger Ltd")


# --- Systems and connections ---


def make_system(
    partner: Partner | None = None,
    kind: str = "zendesk",
    *,
    name: str = "",
    base_url: str = "",
    is_tested: bool = True,
    **values: Any,
) -> System:
    """A system with settings and credentials; tested (account and fields known), without any call, unless told not to.

    `values` are columns of System.
    """
    partner = partner or make_partner()
    number = next(_numbers)
    made = add_system(
        partner,
        kind,
        SystemData(
            name=name or f"{partner.name.split()[0]} {kind.title()} {number}",
            base_url=base_url or f"https://{kind}-{number}.example.com",
            settings=SETTINGS.get(kind) or _anything(kind, is_secret=False),
            secrets=SECRETS.get(kind) or _anything(kind, is_secret=True),
        ),
    )
    if is_tested:
        now = timezone.now()
        known = {
            "account_id": f"account-{number}",
            "account_name": "Concord",
            "checked_at": now,
            "metadata": {"fields": list(FIELDS.get(kind, ()))},
            "metadata_at": now,
        }
        values = {**known, **values}
    for name_, value in values.items():
        setattr(made, name_, value)
    if values:
        made.save(update_fields=list(values))
    return made


def _anything(kind: str, *, is_secret: bool) -> dict[str, str]:
    """Settings or secrets of a vendor that nothing is written down for here."""
    asked = [one for one in registry.connector_class(kind).settings if one.is_secret is is_secret]
    return {one.name: one.default or f"{one.name}-0123456789" for one in asked if one.name != "base_url"}


def make_connection(
    left: System | None = None,
    right: System | None = None,
    *,
    name: str = "",
    state: str = Connection.State.ACTIVE,
    left_starts: bool = True,
    right_starts: bool = False,
    left_trigger: Mapping[str, Sequence[str]] | None = None,
    right_trigger: Mapping[str, Sequence[str]] | None = None,
    template: bool = True,
) -> Connection:
    """A connection with the shipped rules; between Mercuri's Zendesk and Global's Jira unless told otherwise."""
    left = left or make_system(mercuri(), "zendesk", name="Mercuri Zendesk")
    right = right or make_system(globally(), "jira", name="Global Jira")
    connection = open_connection(
        name or f"{left.name} – {right.name}",
        left,
        right,
        left_side=_side(left_starts, left_trigger),
        right_side=_side(right_starts, right_trigger),
        template=template,
    )
    if state != connection.state:
        connection.state = state
        connection.save(update_fields=["state"])
    return connection


def _side(starts: bool, trigger: Mapping[str, Sequence[str]] | None) -> SideData:
    if trigger:
        return SideData(starts=starts, trigger=trigger)
    return STARTS if starts else NOTHING_STARTS


# --- People ---


def make_user(
    username: str = "",
    *,
    role: str | None = None,
    partner: Partner | None = None,
    first_name: str = "",
    last_name: str = "",
    **values: Any,
) -> User:
    """A person who works for `partner` and has `role`: at that partner, or at all of them where the role is so.

    Without a partner the person works for Infinity if the role is one at all partners, and for nobody otherwise.
    Without a role there is nothing to see.
    """
    reaches_all = role is not None and access.REACH[role].all_partners
    is_at_one = role is not None and access.REACH[role].one_partner and partner is not None
    employer = partner or (infinity() if reaches_all else None)
    user = User(
        username=username or f"person-{next(_numbers)}",
        first_name=first_name,
        last_name=last_name,
        partner=employer,
        **values,
    )
    user.set_password(PASSWORD)
    user.save()
    if role is not None:
        access.grant(user, role, partner if is_at_one else None)
    return user


__all__ = [
    "PASSWORD",
    "Role",
    "globally",
    "infinity",
    "make_connection",
    "make_partner",
    "make_system",
    "make_user",
    "mercuri",
    "stranger",
]


def make_drill(side: Side) -> Drill:
    """A drill that is over, with a record of one change, of this side's connection; this side's system was away."""
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    event = {
        "happened": "2026-03-02T09:00:10.000+00:00",
        "who": "Mara Lund",
        "in": "Mercuri Inc: Mercuri Zendesk",
        "what": "comment “Drill 1, change 1.”",
        "to": "Infinity Solutions: Infinity Jira",
        "applied": "2026-03-02T09:02:05.000+00:00",
        "place": 3,
        "waited_s": 115,
        "fate": "applied",
    }
    counts = {"lost": 0, "doubled": 0, "out_of_order": 0}
    verdict = {"tickets": 1, "events": 1, "while_away": 1, "applied": 1, "equal": 1, **counts, "holds": True}
    ticket = {"number": "LT-1", "title": "Drill 1, ticket 1", "records": [], "equal": True, **counts}
    document = {"version": 1, "verdict": verdict, "tickets": [{**ticket, "events": [event]}]}
    return Drill.objects.create(
        connection=side.connection,
        stopped_system=side.system,
        state=Drill.State.DONE,
        tickets=1,
        changes=1,
        done=1,
        asked_at=at,
        stopped_at=at,
        restored_at=at + timedelta(minutes=2),
        ended_at=at + timedelta(minutes=3),
        record=Signer(settings.CREDENTIAL_KEYS).sign("outage-drill", document),
    )
