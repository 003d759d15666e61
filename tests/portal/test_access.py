"""Every address of the site, visited by everybody: the answer is what access.py says.

`PAGES` says for each address what it asks for and whose matter its object is.  The addresses come from the URL map, so
a page that is not in the table fails here.  One linked ticket joins Mercuri and Infinity; systems, rules and people in
the addresses are Mercuri's.  Everybody has one role: at all partners, at Mercuri, at Infinity, or at a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from integrations.models import (
    Conflict,
    ConnectionDraft,
    HookStanding,
    MappingSet,
    PersonPair,
    Reconciliation,
    Undo,
)
from integrations.services import findings, heartbeats, hook_registration, outgoing
from integrations.services import metadata as metadata_services
from integrations.services import systems as system_services
from integrations.services.endpoints import add_endpoint
from integrations.services.mappings import draft_rules
from knowledgebase.models import Article
from portal.access import MATRIX, REACH, Level
from portal.models import DriftAction, QueueAction, User
from slas import services as slas
from tests import factories
from tests.factories import Role
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

MERCURI, INFINITY, STRANGER = "Mercuri Inc", "Infinity Solutions", "Stranger Ltd"
ENDS = frozenset({MERCURI, INFINITY})
OWN = frozenset({MERCURI})
THERE = frozenset({INFINITY})

# What an answer can be.  An allowed form without data says what is missing (422), or goes back with a sentence.
ALLOWED, FORBIDDEN, MISSING, SIGN_IN = "allowed", "forbidden", "missing", "sign in"


@dataclass(frozen=True)
class Page:
    """What an address asks for.

    `args` name things of the World.  `seen_by`: the partners whose people know that the object exists; None for a page
    without one.  `right_at`: where the right is needed, at one of them or at `all`.  `everywhere`: at all partners.
    """

    resource: str
    action: str
    args: tuple[str, ...] = ()
    seen_by: frozenset[str] | None = None
    right_at: frozenset[str] | None = None
    at_all: bool = False
    everywhere: bool = False
    # Somebody else's: nobody else gets to see it.
    is_personal: bool = False
    method: str = "get"
    query: dict[str, str] = field(default_factory=dict)
    # What somebody gets who is not signed in.
    stranger_gets: str = SIGN_IN


def on(resource: str, action: str, *args: str, ends: frozenset[str] = ENDS, **more: Any) -> Page:
    """A page about one thing."""
    return Page(resource, action, args, seen_by=ends, right_at=more.pop("right_at", ends), **more)


def pressed(resource: str, action: str, *args: str, **more: Any) -> Page:
    """A button about one thing."""
    return on(resource, action, *args, method="post", **more)


@dataclass(frozen=True)
class Open:
    """A page that asks for no resource: what everybody who signed in gets, and what nobody in particular gets."""

    signed_in: str = ALLOWED
    anonymous: str = SIGN_IN
    args: tuple[str, ...] = ()
    method: str = "get"


PAGES: dict[str, Page | Open] = {
    "alive": Open(anonymous=ALLOWED),
    "ready": Open(anonymous=ALLOWED),
    "health": Open(anonymous=ALLOWED),
    "hook": Open(MISSING, MISSING, ("word",), "post"),
    "sign_in": Open(anonymous=ALLOWED),
    # Leads to the sign-in whoever asks.
    "sign_out": Open(anonymous=ALLOWED, method="post"),
    "account": Open(),
    "password_change": Open(),
    "account_theme": Open(method="post"),
    "account_alerts": Page("alerts", "read"),
    "account_alerts_test": Page("alerts", "read", method="post"),
    "home": Open(),
    "member_welcome": Open(anonymous=ALLOWED, args=("word", "word")),
    # Linked tickets
    "ticket_list": Page("tickets", "read"),
    "ticket_export": Page("tickets", "read"),
    "ticket_detail": on("tickets", "read", "ticket"),
    "ticket_case": on("tickets", "read", "ticket"),
    "ticket_why": on("tickets", "read", "ticket", "field"),
    "ticket_pause": pressed("tickets", "write", "ticket"),
    "ticket_resume": pressed("tickets", "write", "ticket"),
    "ticket_synchronise": pressed("tickets", "write", "ticket"),
    "api_ticket_list": Page("tickets", "read", stranger_gets=FORBIDDEN),
    "api_ticket_detail": on("tickets", "read", "ticket", stranger_gets=FORBIDDEN),
    "api_ticket_timeline": on("tickets", "read", "ticket", stranger_gets=FORBIDDEN),
    # Queue
    "delivery_list": Page("queue", "read"),
    "delivery_act": Page("queue", "write", method="post"),
    "delivery_export": Page("queue", "read"),
    "delivery_detail": on("queue", "read", "delivery"),
    "delivery_skip": pressed("queue", "full", "delivery"),
    "queue_action": Page("queue", "write", ("action",), is_personal=True),
    "queue_action_run": Page("queue", "write", ("action",), is_personal=True, method="post"),
    "queue_action_drop": Page("queue", "write", ("action",), is_personal=True, method="post"),
    "conflict_decide": pressed("queue", "write", "conflict", right_at=frozenset({INFINITY})),
    # Undoing: the values are the receiver's, and so is the right
    "delivery_undo": pressed("undo", "full", "delivery", right_at=THERE),
    "mapping_undo": pressed("undo", "full", "published", ends=OWN, right_at=THERE),
    "undo_list": Page("undo", "read"),
    "undo_list_export": Page("undo", "read"),
    "undo_detail": on("undo", "read", "undo", ends=THERE),
    "undo_export": on("undo", "read", "undo", ends=THERE),
    "undo_confirm": pressed("undo", "full", "undo", ends=THERE),
    "undo_discard": pressed("undo", "full", "undo", ends=THERE),
    # Reconciliation
    "drift_list": Page("queue", "read"),
    "drift_export": Page("queue", "read"),
    "drift_detail": on("queue", "read", "drift"),
    "drift_repair": pressed("queue", "write", "drift"),
    "drift_accept": pressed("queue", "write", "drift"),
    "drift_revoke": pressed("queue", "write", "drift"),
    "drift_exceptions": Page("queue", "read"),
    "drift_exceptions_export": Page("queue", "read"),
    "drift_act": Page("queue", "write", method="post"),
    "drift_action": Page("queue", "write", ("decision",), is_personal=True),
    "drift_action_run": Page("queue", "write", ("decision",), is_personal=True, method="post"),
    "drift_action_drop": Page("queue", "write", ("decision",), is_personal=True, method="post"),
    "reconciliation_stop": pressed("queue", "write", "run"),
    "ticket_reconcile": pressed("tickets", "write", "ticket"),
    "ticket_certificate": on("tickets", "read", "ticket"),
    "ticket_certificate_file": on("tickets", "read", "ticket"),
    "connection_reconcile": pressed("connections", "write", "connection", at_all=True),
    "connection_drift_policy": pressed("connections", "full", "connection", at_all=True),
    "system_reconcile": pressed("systems", "write", "system", ends=OWN),
    # Partners
    "partner_list": Page("partners", "read"),
    "partner_export": Page("partners", "read"),
    "partner_add": Page("partners", "full", everywhere=True),
    "partner_detail": on("partners", "read", "partner", ends=OWN),
    "partner_edit": on("partners", "write", "partner", ends=OWN),
    # Systems
    "system_list": Page("systems", "read"),
    "system_export": Page("systems", "read"),
    "system_add": Page("systems", "full"),
    "system_add_kind": on("systems", "full", "kind", ends=OWN, query={"partner": "partner"}),
    "system_detail": on("systems", "read", "system", ends=OWN),
    "system_fields": on("systems", "read", "system", ends=OWN),
    "system_edit": on("systems", "write", "system", ends=OWN),
    "system_expiry": on("systems", "write", "system", ends=OWN),
    "system_test": pressed("systems", "write", "system", ends=OWN),
    "system_pause": pressed("systems", "write", "system", ends=OWN),
    "system_ceiling": pressed("systems", "write", "system", ends=OWN),
    "system_resume": pressed("systems", "write", "system", ends=OWN),
    "system_discard": on("systems", "full", "system", ends=OWN),
    "system_hooks": on("systems", "write", "system", ends=OWN),
    "system_hook_secret": pressed("systems", "write", "system", ends=OWN),
    "system_hook_take": pressed("systems", "write", "system", ends=OWN),
    "system_hook_drop": pressed("systems", "write", "system", ends=OWN),
    "system_hook_register": pressed("systems", "write", "system", ends=OWN),
    "system_hook_renew": pressed("systems", "write", "system", ends=OWN),
    "system_hook_remove": pressed("systems", "write", "system", ends=OWN),
    "system_hook_check": pressed("systems", "write", "system", ends=OWN),
    "system_refresh": pressed("systems", "write", "system", ends=OWN),
    # Alerts
    "alert_list": Page("alerts", "read"),
    "alert_export": Page("alerts", "read"),
    "alert_detail": on("alerts", "read", "alert", ends=OWN),
    "alert_acknowledge": pressed("alerts", "write", "alert", ends=OWN),
    # Outgoing web hooks
    "endpoint_list": Page("alerts", "full"),
    "endpoint_export": Page("alerts", "full"),
    "endpoint_add": Page("alerts", "full"),
    "endpoint_detail": on("alerts", "full", "endpoint", ends=OWN),
    "endpoint_edit": on("alerts", "full", "endpoint", ends=OWN),
    "endpoint_rotate": pressed("alerts", "full", "endpoint", ends=OWN),
    "endpoint_end_former": pressed("alerts", "full", "endpoint", ends=OWN),
    "endpoint_pause": pressed("alerts", "full", "endpoint", ends=OWN),
    "endpoint_resume": pressed("alerts", "full", "endpoint", ends=OWN),
    "endpoint_test": pressed("alerts", "full", "endpoint", ends=OWN),
    "endpoint_resend": pressed("alerts", "full", "endpoint", "message", ends=OWN),
    "endpoint_discard": on("alerts", "full", "endpoint", ends=OWN),
    # Findings
    "finding_list": Page("systems", "read"),
    "finding_detail": on("systems", "read", "finding", ends=OWN),
    "finding_acknowledge": pressed("systems", "write", "finding", ends=OWN),
    # Connections: what concerns both sides takes the right at both; a side is its partner's own.
    "connection_list": Page("connections", "read"),
    "connection_export": Page("connections", "read"),
    "connection_add": Page("connections", "full"),
    "connection_detail": on("connections", "read", "connection"),
    "connection_edit": on("connections", "full", "connection", at_all=True),
    "connection_activate": pressed("connections", "full", "connection", at_all=True),
    "connection_pause": pressed("connections", "full", "connection", at_all=True),
    "connection_resume": pressed("connections", "full", "connection", at_all=True),
    "connection_discard": on("connections", "full", "connection", at_all=True),
    "connection_side_edit": on("mappings", "write", "side", right_at=OWN),
    "connection_side_pause": pressed("connections", "write", "side", right_at=OWN),
    "connection_side_resume": pressed("connections", "write", "side", right_at=OWN),
    "drill_list": Page("connections", "read"),
    "drill_add": on("connections", "full", "connection", at_all=True),
    "drill_detail": on("connections", "read", "drill"),
    "drill_cancel": pressed("connections", "full", "drill", at_all=True),
    "drill_record": on("connections", "read", "drill"),
    "drill_export": on("connections", "read", "drill"),
    "person_list": on("connections", "full", "connection", at_all=True),
    "person_part": pressed("connections", "full", "connection", "pair", at_all=True),
    # On their way: whoever has the right at all partners goes on with anybody's.
    "wizard_list": Page("connections", "full"),
    "wizard_begin": Page("connections", "full", method="post"),
    "wizard_resume": Page("connections", "full", ("wizard",)),
    "wizard_discard": Page("connections", "full", ("wizard",), method="post"),
    "wizard_system": Page("connections", "full", ("wizard", "position")),
    "wizard_new_system": Page("connections", "full", ("wizard", "position")),
    "wizard_check": Page("connections", "full", ("wizard", "position")),
    "wizard_rules": Page("connections", "full", ("wizard",)),
    "wizard_first": Page("connections", "full", ("wizard",)),
    "wizard_done": Page("connections", "full", ("wizard",)),
    # Mappings: the other side does not know that they exist.
    "mapping_list": Page("mappings", "read"),
    "mapping_export": Page("mappings", "read"),
    "mapping_detail": on("mappings", "read", "published", ends=OWN),
    "mapping_compare": on("mappings", "read", "published", "draft", ends=OWN),
    "mapping_versions": on("mappings", "read", "side", "direction", ends=OWN),
    "mapping_draft": pressed("mappings", "write", "side", "direction", ends=OWN),
    "mapping_edit": on("mappings", "write", "draft", ends=OWN),
    "mapping_publish": pressed("mappings", "full", "draft", ends=OWN),
    "mapping_roll_back": pressed("mappings", "full", "published", ends=OWN),
    "mapping_discard": pressed("mappings", "write", "draft", ends=OWN),
    "mapping_rule_add": on("mappings", "write", "draft", ends=OWN),
    "mapping_rule_edit": on("mappings", "write", "rule", ends=OWN),
    "mapping_rule_values": on("mappings", "write", "rule", ends=OWN),
    "mapping_rule_move": pressed("mappings", "write", "rule", ends=OWN),
    "mapping_rule_delete": pressed("mappings", "write", "rule", ends=OWN),
    # Service levels
    "report_list": Page("reports", "read"),
    "report_csv": Page("reports", "read"),
    "report_xlsx": Page("reports", "read"),
    "report_tickets": Page("reports", "read"),
    "agreement_list": Page("agreements", "read"),
    "agreement_add": Page("agreements", "full"),
    "agreement_reference": Page("agreements", "full"),
    "agreement_calendar_add": Page("agreements", "full", everywhere=True),
    "agreement_calendar": on("agreements", "write", "calendar"),
    "agreement_detail": on("agreements", "read", "agreement"),
    "agreement_edit": on("agreements", "write", "agreement"),
    "agreement_targets": on("agreements", "write", "agreement"),
    "agreement_matrix": on("agreements", "write", "agreement"),
    "agreement_remove": pressed("agreements", "full", "agreement"),
    # The handbook is everybody's.
    "handbook_list": Page("handbook", "read"),
    "handbook_code": Page("handbook", "read", ("code",)),
    "handbook_detail": Page("handbook", "read", ("article",)),
    "handbook_add": Page("handbook", "full"),
    "handbook_edit": Page("handbook", "write", ("article",)),
    "handbook_revision": Page("handbook", "write", ("article", "number")),
    "handbook_publish": Page("handbook", "full", ("article",), method="post"),
    "handbook_retire": Page("handbook", "full", ("article",), method="post"),
    # Members
    "member_list": Page("members", "read"),
    "member_export": Page("members", "read"),
    "member_add": Page("members", "full"),
    "member_matrix": Page("members", "read"),
    "member_matrix_export": Page("members", "read"),
    "member_matrix_set": Page("members", "full", method="post", everywhere=True),
    "member_detail": on("members", "read", "member", ends=OWN),
    "member_edit": on("members", "write", "member", ends=OWN),
    "member_grant": pressed("members", "full", "member", ends=OWN),
    "member_revoke": pressed("members", "full", "member", "membership", ends=OWN),
    "member_close": pressed("members", "full", "member", ends=OWN),
    "member_open": pressed("members", "full", "member", ends=OWN),
    "member_link": pressed("members", "full", "member", ends=OWN),
}


@dataclass(frozen=True)
class Person:
    """Somebody with one role, at a partner or (place None) at all of them; without a role nobody in particular."""

    role: str | None = None
    place: str | None = None

    def __str__(self) -> str:
        return f"{self.role or 'nobody'} at {self.place or 'all'}"


PEOPLE = [
    Person(),
    *(Person(role, None) for role, reach in REACH.items() if reach.all_partners),
    *(
        Person(role, place)
        for role, reach in REACH.items()
        if reach.one_partner
        for place in (MERCURI, INFINITY, STRANGER)
    ),
]


def expected(page: Page | Open, person: Person) -> str:
    """What access.py lets this person do with this page."""
    if isinstance(page, Open):
        return page.signed_in
    if person.role is None or MATRIX[person.role][page.resource] < Level[page.action.upper()]:
        return FORBIDDEN
    if page.is_personal:
        return MISSING
    if person.place is None:
        return ALLOWED
    if page.everywhere:
        return FORBIDDEN
    if page.seen_by is None:
        return ALLOWED
    if person.place not in page.seen_by:
        return MISSING
    assert page.right_at is not None
    is_enough = person.place in page.right_at and (len(page.right_at) == 1 or not page.at_all)
    return ALLOWED if is_enough else FORBIDDEN


# --- The site ---


def urls() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Name and view of every address."""

    def walk(patterns: list[Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
        for one in patterns:
            if isinstance(one, URLPattern):
                yield str(one.name), one.callback
            else:
                yield from walk(one.url_patterns)

    yield from walk(get_resolver().url_patterns)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One of everything, by the names that PAGES uses."""
    # Nobody is called by a test.
    answer = system_services.Checkup(True, "It answers.")
    monkeypatch.setattr(outgoing, "send", lambda message, now: True)
    monkeypatch.setattr(system_services, "test_system", lambda system, *, now: answer)
    monkeypatch.setattr(metadata_services, "refresh_metadata", lambda system, *, now: [])
    monkeypatch.setattr(hook_registration, "register_hooks", lambda system, *, now, renew=False: True)
    monkeypatch.setattr(hook_registration, "remove_hooks", lambda system, *, now: None)
    monkeypatch.setattr(
        hook_registration, "look_at_hooks", lambda system, *, now: HookStanding(system=system)
    )
    for part in (heartbeats.TICK, heartbeats.SWEEP):
        heartbeats.beat(part, timezone.now())
    left, right = scenes.mercuri_and_infinity()
    factories.stranger()
    matter = scenes.matter(left, right, left_fields={}, right_fields={})
    delivery = scenes.queued(matter.to_right, scenes.seen(matter.left_ticket, fields={"priority": "urgent"}))
    published = scenes.publish(left, "outgoing", {"priority": ("priority", {"urgent": "critical"})})
    draft = draft_rules(left, MappingSet.Direction.OUTGOING)
    fields = [row for row in factories.FIELDS["zendesk"] if row["name"] != "priority"]
    [finding] = findings.take_metadata(left.system, {"fields": fields}, now=scenes.NOW)
    endpoint, _ = add_endpoint(
        factories.mercuri(), "Pager", "https://pager.example/", ["alert.opened"], now=scenes.NOW
    )
    agreement = slas.load_reference(factories.mercuri(), factories.infinity())
    member = factories.make_user("ann", role=Role.PARTNER_AGENT, partner=factories.mercuri())
    article = Article.objects.published().exclude(code=None).first()
    assert article
    drift = scenes.drifted(matter, "Priority", expected="High", found="Low")
    run = Reconciliation.objects.create(connection=left.connection, asked_at=scenes.NOW, due_at=scenes.NOW)
    return {
        "word": "nonsense",
        "ticket": matter.linked.pk,
        "drift": drift.pk,
        "run": run.pk,
        "undo": Undo.objects.create(target=right, asked_at=scenes.NOW, due_at=scenes.NOW, state="ready").pk,
        "field": "priority",
        "delivery": delivery.pk,
        "action": QueueAction.objects.create(asked_by=member, asked_at=scenes.NOW, act="retry").pk,
        "decision": DriftAction.objects.create(asked_by=member, asked_at=scenes.NOW, act="repair").pk,
        "conflict": Conflict.objects.create(
            delivery=delivery, field="priority", shared="priority", asked_at=scenes.NOW
        ).pk,
        "partner": factories.mercuri().pk,
        "kind": "zendesk",
        "system": left.system_id,
        "finding": finding.pk,
        "alert": scenes.alert(left.system).pk,
        "endpoint": endpoint.pk,
        "message": endpoint.messages.create(
            message_id="msg_1", kind="endpoint.test", body="{}", created_at=scenes.NOW, due_at=scenes.NOW
        ).pk,
        "wizard": ConnectionDraft.objects.create(begun_at=scenes.NOW, touched_at=scenes.NOW).pk,
        "position": "left",
        "pair": PersonPair.objects.create(connection=left.connection, left_id="1", right_id="2").pk,
        "connection": left.connection_id,
        "drill": factories.make_drill(left).pk,
        "side": left.pk,
        "direction": "outgoing",
        "published": published.pk,
        "draft": draft.pk,
        "rule": draft.rules.get().pk,
        "agreement": agreement.pk,
        "calendar": agreement.calendar_id,
        "article": article.pk,
        "code": article.code,
        "number": 1,
        "member": member.pk,
        "membership": member.memberships.get().pk,
    }


def visit(client: Client, name: str, page: Page | Open, world: dict[str, Any]) -> str:
    """Ask for a page and undo what that did; the answer in one word."""
    address = reverse(name, args=[world[one] for one in page.args])
    query = {key: world[one] for key, one in getattr(page, "query", {}).items()}
    # Signing out takes the cookie away; the session itself comes back with the transaction.
    cookies = SimpleCookie(client.cookies)
    with transaction.atomic():
        response = (
            client.get(address, query) if page.method == "get" else client.post(address, query_params=query)
        )
        for _ in getattr(response, "streaming_content", ()):
            pass
        transaction.set_rollback(True)
    client.cookies = cookies
    if response.status_code == 302 and "/sign-in/" in response["Location"] and name != "sign_out":
        return SIGN_IN
    words = {200: ALLOWED, 302: ALLOWED, 422: ALLOWED, 403: FORBIDDEN, 404: MISSING}
    return words.get(response.status_code, str(response.status_code))


def test_every_address_is_in_the_table_and_says_what_it_asks_for() -> None:
    stated = {name: getattr(view, "access", None) for name, view in urls() if not name.startswith("api_")}
    wanted = {
        name: None if isinstance(page, Open) else (page.resource, page.action)
        for name, page in PAGES.items()
        if not name.startswith("api_")
    }

    assert {name for name, _ in urls()} == set(PAGES)
    assert stated == wanted


@pytest.mark.parametrize("person", PEOPLE, ids=str)
def test_everybody_gets_what_the_matrix_says(client: Client, world: dict[str, Any], person: Person) -> None:
    client.force_login(person_of(person))

    wrong = {
        name: f"{answer}, not {wanted}"
        for name, page in PAGES.items()
        if (answer := visit(client, name, page, world)) != (wanted := expected(page, person))
    }

    assert wrong == {}


def person_of(person: Person) -> User:
    """The account of somebody."""
    partner = factories.make_partner(person.place) if person.place else None
    return factories.make_user("somebody", role=person.role, partner=partner)


def test_who_is_not_signed_in_is_led_to_the_sign_in(client: Client, world: dict[str, Any]) -> None:
    wrong = {
        name: f"{answer}, not {wanted}"
        for name, page in PAGES.items()
        if (answer := visit(client, name, page, world)) != (wanted := without_signing_in(page))
    }

    assert wrong == {}


def without_signing_in(page: Page | Open) -> str:
    """What somebody gets whom we do not know."""
    return page.anonymous if isinstance(page, Open) else page.stranger_gets


def test_an_account_that_was_closed_gets_nothing(client: Client, world: dict[str, Any]) -> None:
    closed = factories.make_user("gone", role=Role.ADMINISTRATOR)
    client.force_login(closed)
    User.objects.filter(pk=closed.pk).update(is_active=False)

    assert visit(client, "ticket_list", PAGES["ticket_list"], world) == SIGN_IN


def test_a_right_that_is_taken_away_is_gone_with_the_next_click(
    client: Client, world: dict[str, Any]
) -> None:
    agent = User.objects.get(username="ann")
    client.force_login(agent)
    page = PAGES["ticket_detail"]

    before = visit(client, "ticket_detail", page, world)
    factories.access.revoke(agent, Role.PARTNER_AGENT, factories.mercuri())

    assert (before, visit(client, "ticket_detail", page, world)) == (ALLOWED, FORBIDDEN)


def test_the_table_reaches_every_kind_of_answer() -> None:
    """Whoever empties PAGES of its meaning notices."""
    found = {expected(page, person) for page in PAGES.values() for person in PEOPLE}

    assert found == {ALLOWED, FORBIDDEN, MISSING}
