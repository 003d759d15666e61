"""Undoing in the portal: what one sees before, the confirmation, the list and its file, and who may."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Delivery, MappingSet, Undo, UndoItem
from portal.models import AuditEntry
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    made = scenes.matter(
        left, right, left_fields={"subject": "New"}, right_fields={"summary": "New", "priority": "Low"}
    )
    ticket = made.right_ticket
    ticket.winners = {"summary": [5, left.system_id], "priority": [9, right.system_id]}
    ticket.save()
    return made


@pytest.fixture
def delivery(matter: Matter) -> Delivery:
    event = scenes.seen(matter.left_ticket, minute=-5, fields={"subject": "New"})
    version = scenes.publish(matter.right, "incoming", {"summary": "title"})
    made = scenes.arrived(
        matter.to_right,
        event,
        envelope={"fields": {"title": "New"}},
        wanted={"summary": "New", "priority": "High"},
        pre_image={"summary": "Old", "priority": "Medium"},
        target=matter.right_ticket,
        incoming=version,
    )
    Delivery.objects.filter(pk=made.pk).update(stamp=[5, matter.left.system_id])
    scenes.seen(matter.right_ticket, minute=-2, fields={"priority": "Low"}, actor="Ravi Rao")
    return made


def staff(client: Client) -> Client:
    client.force_login(factories.make_user("ida", role=Role.INTEGRATOR_STAFF))
    return client


def test_one_write_is_looked_at_confirmed_and_queued(client: Client, delivery: Delivery) -> None:
    staff(client)
    page = client.get(reverse("delivery_detail", args=[delivery.pk])).content.decode()
    assert reverse("delivery_undo", args=[delivery.pk]) in page

    answer = client.post(reverse("delivery_undo", args=[delivery.pk]))
    undo = Undo.objects.get()
    address = reverse("undo_detail", args=[undo.pk])
    assert answer["Location"] == address
    page = client.get(address).content.decode()
    assert "1 field would be put back" in page
    assert "Ravi Rao changed it since." in page
    assert [(item.field, item.state) for item in undo.items.order_by("field")] == [
        ("priority", "left"),
        ("summary", "open"),
    ]

    client.post(reverse("undo_confirm", args=[undo.pk]))
    revert = Delivery.objects.get(operation="revert")
    assert revert.envelope["fields"] == {"summary": "Old"}
    undo.refresh_from_db()
    assert undo.state == "under_way"
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")][-2:] == [
        "looked at undoing",
        "undid",
    ]
    assert client.get(address).status_code == 200
    follow = {"HX-Request": "true"}
    assert "HX-Refresh" not in client.get(address, headers=follow)
    Undo.objects.update(state="ended")
    assert client.get(address, headers=follow)["HX-Refresh"] == "true"
    assert (
        "Undo to Infinity Solutions"
        in client.get(reverse("delivery_detail", args=[revert.pk])).content.decode()
    )


def test_what_a_version_wrote_is_listed_narrowed_and_exported(client: Client, delivery: Delivery) -> None:
    staff(client)
    version = MappingSet.objects.get(side=delivery.lane.target, direction="incoming", state="published")
    assert (
        reverse("mapping_undo", args=[version.pk])
        in client.get(reverse("mapping_detail", args=[version.pk])).content.decode()
    )
    client.post(reverse("mapping_undo", args=[version.pk]))
    undo = Undo.objects.get()
    left = client.get(reverse("undo_detail", args=[undo.pk]), {"state": "left"}).content.decode()
    assert ("Ravi Rao" in left, ">Old<" in left) == (True, False)
    lines = (
        b"".join(client.get(reverse("undo_export", args=[undo.pk])).streaming_content).decode().splitlines()
    )
    assert [line.split(",")[2:6] for line in lines[1:]] == [
        ["Priority", "Low", "Medium", "Left alone"],
        ["Summary", "New", "Old", "Would be put back"],
    ]
    assert f"V{undo.scope[1:]}" in client.get(reverse("undo_list")).content.decode()
    client.post(reverse("undo_discard", args=[undo.pk]))
    undo.refresh_from_db()
    assert (undo.state, Delivery.objects.filter(operation="revert").count()) == ("discarded", 0)


def test_a_comment_tells_what_to_do_instead(client: Client, matter: Matter) -> None:
    event = scenes.seen(matter.left_ticket, comments=[scenes.comment("hello")])
    made = scenes.arrived(matter.to_right, event, operation="comment", envelope=scenes.released("hello"))
    page = staff(client).get(reverse("delivery_detail", args=[made.pk])).content.decode()
    assert "Correct or delete it in Infinity Jira." in page
    assert reverse("delivery_undo", args=[made.pk]) not in page


def test_the_sender_sees_nothing_of_what_is_undone_at_the_receiver(
    client: Client, delivery: Delivery
) -> None:
    staff(client).post(reverse("delivery_undo", args=[delivery.pk]))
    undo = Undo.objects.get()
    owner = factories.make_user("ann", role=Role.MAPPING_OWNER, partner=factories.mercuri())
    client.force_login(owner)
    assert client.post(reverse("delivery_undo", args=[delivery.pk])).status_code == 403
    assert client.get(reverse("undo_detail", args=[undo.pk])).status_code == 404
    assert f"Delivery {delivery.number} of" not in client.get(reverse("undo_list")).content.decode()
    receiver = factories.make_user("bo", role=Role.MAPPING_OWNER, partner=factories.infinity())
    client.force_login(receiver)
    assert client.get(reverse("undo_detail", args=[undo.pk])).status_code == 200
    assert UndoItem.objects.count() == 2


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 2),
        ({"what": "write"}, 1),
        ({"what": "version"}, 1),
        ({"state": "ready"}, 1),
        ({"q": "LT-{ticket}"}, 2),
        ({"q": "LT-999999"}, 0),
        ({"q": "infinity jira"}, 2),
        ({"q": "ida"}, 2),
        ({"system": "{system}"}, 2),
        ({"connection": "{connection}"}, 2),
        ({"sort": "fields"}, 2),
        ({"sort": "what"}, 2),
    ],
)
def test_the_list_of_undoings_is_narrowed_and_a_file(
    client: Client, delivery: Delivery, query: dict[str, str], count: int
) -> None:
    staff(client).post(reverse("delivery_undo", args=[delivery.pk]))
    version = MappingSet.objects.get(side=delivery.lane.target, direction="incoming", state="published")
    client.post(reverse("mapping_undo", args=[version.pk]))
    client.post(reverse("undo_discard", args=[Undo.objects.latest("pk").pk]))
    lane = delivery.lane
    known = {"ticket": lane.linked_ticket_id, "system": lane.system_id, "connection": lane.connection_id}
    asked = {name: value.format(**known) for name, value in query.items()}

    page = client.get(reverse("undo_list"), asked)
    lines = b"".join(client.get(reverse("undo_list_export"), asked).streaming_content).decode().splitlines()

    assert (page.context["listing"].total, len(lines) - 1) == (count, count)
    if not query:
        # Version, then write: the newest first.
        assert [line.split(",")[9] for line in lines[1:]] == ["2", "2"]
        assert lines[2].startswith(f"delivery {delivery.number} of {lane.linked_ticket.number},")


def test_a_field_that_a_ticket_was_made_with_tells_what_stands_there(
    client: Client, matter: Matter, delivery: Delivery
) -> None:
    version = MappingSet.objects.get(side=delivery.lane.target, direction="incoming", state="published")
    Delivery.objects.filter(pk=delivery.pk).update(pre_image={"summary": "Old"})
    scenes.arrived(
        matter.to_right,
        scenes.seen(matter.left_ticket, minute=-9),
        operation="create",
        envelope={"fields": {"priority": "low"}},
        wanted={"priority": "Low"},
        target=matter.right_ticket,
        incoming=version,
    )

    staff(client).post(reverse("mapping_undo", args=[version.pk]))

    item = UndoItem.objects.get(field="priority")
    assert (item.state, item.stands) == ("cannot", "Low")
    assert ">Low<" in client.get(reverse("undo_detail", args=[item.undo_id])).content.decode()


def test_a_file_is_named_as_it_is_called(client: Client, matter: Matter, delivery: Delivery) -> None:
    event = scenes.seen(matter.left_ticket, attachments=[scenes.file("Invoice NOV.PDF")])
    scenes.arrived(
        matter.to_right,
        event,
        operation="file",
        envelope={"file": scenes.file("Invoice NOV.PDF")},
        target=matter.right_ticket,
        incoming=delivery.incoming,
    )

    staff(client).post(reverse("mapping_undo", args=[delivery.incoming_id]))

    assert "File Invoice NOV.PDF" in [item.label for item in UndoItem.objects.all()]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("looking", "5,230 of 12,400 tickets looked at."),
        ("queueing", "5,230 of 12,400 tickets queued."),
        ("under_way", "5,230 of 12,400 fields put back or left alone."),
    ],
)
def test_how_far_an_undoing_of_many_writes_is(
    client: Client, delivery: Delivery, state: str, told: str
) -> None:
    made = staff(client)
    undo = Undo.objects.create(
        target=delivery.lane.target,
        delivery=delivery,
        state=state,
        asked_at=delivery.queued_at,
        due_at=delivery.queued_at,
        total=12400,
        done=5230,
    )

    page = made.get(reverse("undo_detail", args=[undo.pk])).content.decode()

    assert told in page
    assert f'value="{5230 * 100 // 12400}"' in page
    # It looks again by itself, and without scripts.
    assert 'hx-trigger="every 2s"' in page
    assert "Look again" in page
