"""What a company keeps to itself is on no page, in no file and in no answer that the other company's people get.

Mercuri's words for its secrets all contain CANARY.  Everybody at Infinity visits every address of the site with every
object there is, and follows every link; CANARY is nowhere.  Mercuri's own people do find it, so that the test tests
something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import (
    Alert,
    Attempt,
    Conflict,
    Connection,
    ConnectionDraft,
    Delivery,
    Drift,
    FieldRule,
    HookEndpoint,
    HookMessage,
    Lane,
    LinkedTicket,
    MappingSet,
    Partner,
    Reconciliation,
    Side,
    System,
    SystemFinding,
    Ticket,
    Undo,
)
from integrations.services.endpoints import add_endpoint
from integrations.services.mappings import draft_rules
from knowledgebase.models import Article
from portal import audit
from portal.models import DriftAction, Drill, QueueAction, User
from slas import services as slas
from slas.models import Agreement, Calendar, Timing
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter
from tests.portal.test_access import PAGES

pytestmark = pytest.mark.django_db

CANARY = "canary"
# Released by Mercuri's rules, but left out or still on its way: nobody at Infinity has got it.
UNDELIVERED = "undelivered-word"

AT_INFINITY = [Role.PARTNER_AGENT, Role.SERVICE_LEVEL_MANAGER, Role.MAPPING_STEWARD, Role.MAPPING_OWNER]


def canary(number: int) -> str:
    """A secret of its own for each place, so that a failure says which one leaked."""
    return f"{CANARY}-{number:02d}"


@pytest.fixture
def matter() -> Matter:
    """A matter between the two whose Mercuri side is full of secrets."""
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority", status="Status")
    slas.load_reference(factories.mercuri(), factories.infinity())
    found = scenes.matter(
        left,
        right,
        left_fields={"subject": canary(1), "margin": canary(2), "priority": canary(3), "status": "open"},
        right_fields={"summary": "[redacted]", "priority": "Low"},
        title=canary(1),
    )
    Ticket.objects.filter(pk=found.left_ticket.pk).update(key=canary(4), url=f"https://z.example/{canary(4)}")
    Ticket.objects.filter(pk=found.right_ticket.pk).update(title="[redacted]", opened_at=NOW)
    plant_rules(left)
    plant_history(found)
    plant_queue(found)
    plant_system(left.system)
    plant_drift(found)
    plant_conflicts(left, right)
    plant_undoing(found)
    Timing.objects.create(linked_ticket=found.linked, side=left, what="opened", happened_at=NOW, position=1)
    slas.recompute(found.linked, NOW)
    return found


def plant_rules(side: Side) -> None:
    """Rules, published and in draft, and the side's trigger."""
    scenes.publish(
        side,
        "outgoing",
        {
            "title": FieldRule(source="subject", transform="redact"),
            "priority": ("priority", {canary(3): "critical"}),
            "status": FieldRule(source="", transform="constant", argument=canary(5)),
        },
        note=canary(6),
    )
    scenes.publish(side, "incoming", {f"field_{canary(7)}": "title"}, comment_heading=canary(8))
    MappingSet.objects.filter(pk=draft_rules(side, "outgoing").pk).update(note=canary(9))
    side.trigger = {canary(10): [canary(11)]}
    side.save()


def plant_history(matter: Matter) -> None:
    """Changes with hidden fields, internal notes and files; one comment is public and arrives."""
    ticket = matter.left_ticket
    opened = scenes.seen(ticket, minute=-30, kind="created", actor=canary(12), fields=ticket.actual)
    scenes.arrived(matter.to_right, opened, operation="create", envelope={"fields": {"title": "[redacted]"}})
    change = scenes.seen(
        ticket,
        minute=-20,
        actor=canary(12),
        fields={"margin": canary(2), "priority": canary(3)},
        before={"margin": canary(13)},
        comments=[
            scenes.comment("Public words"),
            scenes.comment(canary(14), is_public=False, author=canary(15), files=[canary(16)]),
        ],
        attachments=[scenes.file(canary(17))],
    )
    scenes.arrived(
        matter.to_right, change, envelope={"fields": {"priority": "critical"}, "changed": [canary(18)]}
    )
    scenes.arrived(matter.to_right, change, operation="comment", envelope=scenes.released("Public words"))
    # What Infinity did, and what came of it in Mercuri's own fields.
    answer = scenes.seen(matter.right_ticket, minute=-10, fields={"priority": "High"})
    scenes.arrived(
        matter.to_left,
        answer,
        envelope={"fields": {"priority": "high"}, "changed": ["priority"]},
        wanted={canary(19): canary(20)},
        pre_image={canary(19): canary(21)},
    )
    repaired = scenes.seen(ticket, minute=-9, fields={"priority": canary(22)})
    scenes.arrived(
        matter.to_left, repaired, operation="repair", envelope={"fields": {canary(23): canary(24)}}
    )


def plant_queue(matter: Matter) -> None:
    """A change left out, one that Mercuri's rules cannot tell, and one that Mercuri's system refused."""
    late = scenes.seen(matter.left_ticket, minute=-5, fields={"priority": canary(25)})
    left_out = scenes.queued(
        matter.to_right,
        late,
        state="skipped",
        done_at=NOW,
        envelope={"fields": {"title": UNDELIVERED}},
        skipped_reason="Told by telephone",
    )
    assert left_out.number == 4
    problem = {"code": "unmapped_value", "field": canary(26), "message": f"“p” holds “{canary(25)}”."}
    stuck = scenes.queued(matter.to_right, late, problem=problem, envelope={"fields": {"title": UNDELIVERED}})
    scenes.park(matter.to_right, "unmapped_value", problem["message"])
    refused = scenes.queued(
        matter.to_left,
        scenes.seen(matter.right_ticket, minute=-4, fields={"priority": "Low"}),
        envelope={"fields": {"priority": "low"}},
        state="sent",
        wanted={canary(19): canary(27)},
        pre_image={canary(19): canary(21)},
    )
    scenes.park(matter.to_left, "invalid", f"Zendesk refuses “{canary(28)}”.")
    Attempt.objects.create(
        delivery=refused, number=1, fence=1, started_at=NOW, outcome="refused", status=422, message=canary(29)
    )
    Lane.objects.filter(pk=matter.to_right.pk).update(waits_since=NOW - timedelta(hours=1))
    assert (stuck.number, refused.number) == (5, 3)


def plant_system(system: System) -> None:
    """Settings, account, troubles and what people did with the system."""
    System.objects.filter(pk=system.pk).update(
        base_url=f"https://{canary(30)}.example.com",
        settings={"email": canary(31)},
        account_name=canary(32),
        failure_code="unauthorized",
        failure_message=canary(33),
        check_problems=[canary(34)],
        metadata={
            "fields": [{"name": canary(19), "label": canary(35), "kind": "text", "values": [canary(36)]}]
        },
        hook_token=canary(37),
    )
    SystemFinding.objects.create(
        system=system,
        code="value_gone",
        field=canary(19),
        label=canary(35),
        value=canary(36),
        grade="look",
        message=canary(39),
        found_at=NOW,
    )
    endpoint, _ = add_endpoint(
        system.partner, canary(42), f"https://{canary(43)}.example/", ["alert.opened"], now=NOW
    )
    endpoint.messages.create(
        message_id=canary(44), kind="endpoint.test", body=canary(45), created_at=NOW, due_at=NOW
    )
    scenes.alert(system, message=canary(40), acknowledged_reason=canary(41), state="acknowledged")
    audit.record(None, "changed", system, {"email": [canary(31), canary(38)]}, partner=system.partner)


def plant_drift(matter: Matter) -> None:
    """What a comparison found at Mercuri, and of Mercuri's at Infinity before it got there."""
    right = matter.right
    scenes.drifted(matter, "Priority", expected=canary(50), found=canary(51), source=right)
    scenes.drifted(matter, canary(52), expected=UNDELIVERED, found="", kind="comment", key="k-1")
    scenes.drifted(
        matter,
        "Status",
        expected=canary(53),
        found=canary(54),
        source=right,
        state="accepted",
        closed_because=canary(55),
    )
    Reconciliation.objects.create(system=matter.left.system, asked_at=NOW, due_at=NOW)


def plant_conflicts(left: Side, right: Side) -> None:
    """A matter in which both are asked about the title, which either side changed, and one that was answered."""
    field = f"field_{canary(7)}"
    FieldRule.objects.filter(mapping_set__side__in=[left, right]).update(conflict="person")
    found = scenes.matter(
        left,
        right,
        number=2,
        left_fields={"subject": canary(61), field: canary(63)},
        right_fields={"summary": "Infinity's words"},
        title=canary(61),
    )
    Ticket.objects.filter(pk=found.left_ticket.pk).update(
        key=canary(66), url="", winners={field: [5, left.system_id]}
    )
    Ticket.objects.filter(pk=found.right_ticket.pk).update(
        title="Infinity's words", winners={"summary": [5, right.system_id]}
    )
    came = scenes.seen(found.left_ticket, minute=-6, actor=canary(60), fields={"subject": canary(61)})
    asked_there = scenes.queued(found.to_right, came, envelope={"fields": {"title": "Released words"}})
    Conflict.objects.create(delivery=asked_there, field="summary", shared="title", asked_at=NOW)
    scenes.park(found.to_right, "conflict", "“summary” was changed on both sides.")
    scenes.seen(found.left_ticket, minute=-5, actor=canary(62), fields={field: canary(63)})
    answer = scenes.seen(found.right_ticket, minute=-7, fields={"summary": "Infinity's words"})
    asked_here = scenes.queued(found.to_left, answer, envelope={"fields": {"title": "Infinity's words"}})
    Conflict.objects.create(delivery=asked_here, field=field, shared="title", asked_at=NOW)
    scenes.park(found.to_left, "conflict", f"“{field}” was changed on both sides.")
    Conflict.objects.create(
        delivery=asked_here,
        field=canary(19),
        shared="priority",
        asked_at=NOW,
        decided_at=NOW,
        decided_by=factories.make_user(canary(64), partner=factories.mercuri()),
        choice="own",
        reason="Agreed between both",
        came="High",
        own=canary(65),
        stands=canary(65),
    )


def plant_undoing(matter: Matter) -> None:
    """What would be put back at Mercuri."""
    one = Undo.objects.create(target=matter.left, asked_at=NOW, due_at=NOW, state=Undo.State.READY)
    one.items.create(
        lane=matter.to_left,
        ticket=matter.left_ticket,
        delivery=Delivery.objects.filter(lane=matter.to_left).earliest("number"),
        field=canary(56),
        label=canary(56),
        stands=canary(57),
        put_back=canary(58),
        state="left",
        reason=canary(59),
        changed_by=canary(59),
    )


# --- Looking everywhere ---

# The names of objects in PAGES.
OBJECTS: dict[str, Any] = {
    "ticket": LinkedTicket,
    "conflict": Conflict,
    "delivery": Delivery,
    "drift": Drift,
    "run": Reconciliation,
    "partner": Partner,
    "system": System,
    "alert": Alert,
    "endpoint": HookEndpoint,
    "message": HookMessage,
    "finding": SystemFinding,
    "wizard": ConnectionDraft,
    "connection": Connection,
    "drill": Drill,
    "action": QueueAction,
    "decision": DriftAction,
    "undo": Undo,
    "side": Side,
    "published": MappingSet,
    "draft": MappingSet,
    "rule": FieldRule,
    "agreement": Agreement,
    "calendar": Calendar,
    "member": User,
}


@dataclass
class Crawl:
    """Everything somebody can get to see: by every address with every object, and by every link."""

    client: Client
    limit: int = 1000

    def everything(self) -> Iterator[tuple[str, str]]:
        """Address and content of every answer that is not a refusal."""
        waiting, seen = list(dict.fromkeys([*addresses(), *exports()])), set()
        while waiting:
            address = waiting.pop(0)
            if address in seen or len(seen) > self.limit:
                continue
            seen.add(address)
            response = self.client.get(address)
            content = body_of(response)
            yield address, content
            if response.status_code == 200:
                waiting += [link for link in links(address, content) if link not in seen]
        assert len(seen) <= self.limit, "The site leads on and on."


def addresses() -> Iterator[str]:
    """Every address that is visited with GET, for every object there is."""
    keys: dict[str, Any] = {
        "code": ["unmapped_value", "invalid"],
        "direction": ["outgoing", "incoming"],
        "field": ["title", "priority", "status"],
        "kind": ["zendesk", "jira"],
        "number": [1],
        "position": ["left", "right"],
        "article": Article.objects.values_list("pk", flat=True)[:2],
    }
    for name, model in OBJECTS.items():
        keys[name] = model.objects.values_list("pk", flat=True)
    for name, page in PAGES.items():
        if page.method == "get" and name not in {"sign_in", "member_welcome", "ready"}:
            for args in product(*(keys[one] for one in page.args)):
                yield reverse(name, args=args)


def exports() -> Iterator[str]:
    """Files and searches that no link leads to."""
    for word in (CANARY, canary(1), canary(4), UNDELIVERED):
        yield f"/tickets/?q={word}"
        yield f"/tickets/export.csv?q={word}"
        yield f"/api/v1/tickets/?q={word}"
    yield "/service-levels/tickets/?outcome=opened"
    yield "/queue/?state=parked"
    for word in (CANARY, UNDELIVERED):
        yield f"/queue/?q={word}"
    yield "/mappings/export.csv"


def links(address: str, content: str) -> Iterator[str]:
    """Where a page leads, without the files of its looks."""
    for found in re.findall(r'(?:href|hx-get)="([^"#]*)', content):
        link = unescape(found)
        if "sort=" in link:
            # Another order of the same.
            continue
        if link.startswith("?"):
            yield address.partition("?")[0] + link
        elif link.startswith("/") and not link.startswith("/static/"):
            yield link


def body_of(response: Any) -> str:
    """All that was answered, headers included; without what the person typed into the search itself."""
    chunks = response.streaming_content if response.streaming else [response.content]
    content = b"".join(chunks).decode("utf-8", "replace")
    return f"{dict(response.headers)}\n{content}"


def leaks(client: Client, user: User, word: str) -> dict[str, set[str]]:
    """Address -> secrets that stand there, as far as they were not typed into the address itself."""
    client.force_login(user)
    found: dict[str, set[str]] = {}
    for address, content in Crawl(client).everything():
        there = set(re.findall(rf"{word}[-\w]*", content)) - set(re.findall(rf"{word}[-\w]*", address))
        if there:
            found[address] = there
    return found


@pytest.mark.parametrize("role", AT_INFINITY)
def test_nobody_at_the_other_company_finds_a_secret(client: Client, matter: Matter, role: str) -> None:
    user = factories.make_user("raj", role=role, partner=factories.infinity())

    assert leaks(client, user, CANARY) == {}


def test_an_agent_does_not_find_what_never_arrived(client: Client, matter: Matter) -> None:
    user = factories.make_user("raj", role=Role.PARTNER_AGENT, partner=factories.infinity())

    assert leaks(client, user, UNDELIVERED) == {}


@pytest.mark.parametrize("role", AT_INFINITY)
def test_a_stranger_finds_nothing_at_all(client: Client, matter: Matter, role: str) -> None:
    user = factories.make_user("nob", role=role, partner=factories.stranger())
    client.force_login(user)

    words = (CANARY, UNDELIVERED, "Public words", "Mercuri", rf"\b{matter.linked.number}\b")

    found = {
        address
        for address, content in Crawl(client).everything()
        for word in words
        # The page of a search repeats what was searched for.
        if re.search(word, content) and word not in address
    }

    assert found == set()


def test_its_own_people_do_find_them(client: Client, matter: Matter) -> None:
    agent = factories.make_user("ann", role=Role.PARTNER_AGENT, partner=factories.mercuri())
    owner = factories.make_user("olga", role=Role.MAPPING_OWNER, partner=factories.mercuri())

    seen_by_agent = set().union(*leaks(client, agent, CANARY).values())
    seen_by_owner = set().union(*leaks(client, owner, CANARY).values())

    ticket = {canary(number) for number in (1, 2, 3, 4, 12, 14, 15, 16, 17)}
    rules = {canary(number) for number in (3, 5, 6, 8, 9, 25, 28, 29, 50, 51)}
    assert ticket <= seen_by_agent
    assert ticket | rules <= seen_by_owner
    # Rules are the business of those who keep them.
    assert not (rules - ticket - {canary(25)}) & seen_by_agent


def test_the_pages_of_conflicts_are_among_what_is_visited(client: Client, matter: Matter) -> None:
    owner = factories.make_user("olga", role=Role.MAPPING_OWNER, partner=factories.mercuri())

    seen = set().union(*leaks(client, owner, CANARY).values())

    assert {canary(number) for number in (60, 61, 62, 63, 64, 65, 66)} <= seen


def test_the_integrators_staff_do_not_read_internal_notes(client: Client, matter: Matter) -> None:
    staff = factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)

    found = set().union(*leaks(client, staff, CANARY).values())

    assert not {canary(number) for number in (14, 15, 16)} & found
    # What keeps the exchange going they do see.
    assert {canary(number) for number in (25, 28)} <= found


def test_a_secret_that_differs_changes_nothing_for_the_other_company(
    client: Client, matter: Matter, time_machine: Any
) -> None:
    """Two worlds that differ in what Mercuri keeps to itself look the same from Infinity."""
    # Pages say how long ago something was; both worlds are looked at in the same minute.
    time_machine.move_to(NOW + timedelta(hours=1), tick=False)
    user = factories.make_user("raj", role=Role.PARTNER_AGENT, partner=factories.infinity())
    client.force_login(user)

    def world() -> dict[str, str]:
        return {
            address: re.sub(r'csrf\w*[^>]*value="[^"]*"|"X-CSRFToken": "[^"]*"|csrftoken=[^;]*', "", content)
            for address, content in Crawl(client).everything()
            if address.startswith(("/tickets/", "/api/"))
        }

    before = world()
    assert "Public words" in before[reverse("ticket_detail", args=[matter.linked.pk])]
    Ticket.objects.filter(pk=matter.left_ticket.pk).update(
        title="other words", key="other", actual={"subject": "other", "margin": 7}
    )
    for event in matter.left_ticket.events.all():
        event.fields = {"margin": "other", "priority": "other"}
        event.comments = [one for one in event.comments if one["is_public"]] + [
            scenes.comment("other", is_public=False)
        ]
        event.save()
    Delivery.objects.filter(lane=matter.to_left).update(wanted={"x": "other"}, pre_image={"x": "other"})
    matter.linked.title = "other words"
    matter.linked.save()

    assert world() == before
