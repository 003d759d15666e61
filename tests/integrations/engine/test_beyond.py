"""What a system carries out later than it may: it is known again as ours, sent nowhere, and told to people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.canonical import ChangeKind
from integrations.connectors import errors
from integrations.models import Alert, Side, Ticket
from integrations.services.watching import watch
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db


def made_twice() -> tuple[World, str, str]:
    """A create that got no answer, was asked again, and was carried out an hour later all the same."""
    world = World()
    # Whatever stands in the board would be linked, too.
    Side.objects.filter(system=world.board_row).update(starts=True)
    write = world.board._write

    def late(what: str, act):  # type: ignore[no-untyped-def]
        if what == "create":
            world.board._write = write  # type: ignore[method-assign]
            world.board.calls.append(what)
            world.board.late.append((world.clock.now() + timedelta(hours=1), act))
            raise errors.TimedOut("No answer.", outcome_unknown=True)
        return write(what, act)

    world.board._write = late  # type: ignore[method-assign]
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    linked = world.twin(world.desk_row, raised)
    (second,) = set(world.board.tickets) - {linked}
    return world, linked, second


def test_a_ticket_that_a_late_create_made_is_linked_with_nothing_and_told() -> None:
    world, linked, second = made_twice()
    world.board.person_comments(second, "in the wrong place")
    world.board.person_sets(second, summary="two")
    world.run()

    twin = Ticket.objects.get(system=world.board_row, remote_id=second)
    assert twin.twin_of == Ticket.objects.get(system=world.board_row, remote_id=linked)
    assert (world.linked(), len(world.desk.tickets), world.waiting()) == (1, 1, [])
    (raised,) = world.desk.tickets.values()
    assert (raised.fields["subject"], raised.comments) == ("one", [])

    watch(now=world.clock.now())
    alert = Alert.objects.get(code="duplicate_twin")
    assert (alert.message, alert.severity, alert.system) == (
        f"board carried a request out too late: board-{second} is there beside board-{linked}.",
        2,
        world.board_row,
    )
    # Nothing is closed or changed there by us: two creates are all that was ever written.
    assert writes(world.board.calls) == ["create", "create"]

    # Once it is deleted there, it is over.
    world.board._record(second, "Mina", ChangeKind.DELETED, {}, "")
    world.run()
    watch(now=world.clock.now())
    world.clock.advance(3600)
    watch(now=world.clock.now())
    assert Alert.objects.get(code="duplicate_twin").state == "closed"


def test_a_copy_that_a_person_made_with_our_marker_is_a_new_ticket() -> None:
    world = World()
    Side.objects.filter(system=world.board_row).update(starts=True)
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    original = world.board.tickets[world.twin(world.desk_row, raised)]

    world.board._create(dict(original.fields), original.marker, "Ivo")
    world.run()

    assert (world.linked(), len(world.desk.tickets)) == (2, 2)
    assert not Ticket.objects.filter(twin_of__isnull=False).exists()
