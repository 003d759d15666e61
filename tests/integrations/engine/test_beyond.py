"""What a system carries out later than it may: it is known again as ours, sent nowhere, and told to people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.canonical import ChangeKind
from integrations.connectors import errors
from integrations.models import Alert, Side, SyncEvent, Ticket
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


def with_a_third_system() -> tuple[World, str, str]:
    """The board passes everything on to a yard; the desk's ticket and the board's."""
    world = World()
    _, yard_row = world.add_system("Yardley", "yard", "jira", {"status": "To Do"})
    world.connect(world.board_row, yard_row, statuses=[("To Do", "To Do"), ("In Progress", "In Progress")])
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    return world, raised, world.twin(world.desk_row, raised)


def carried_out_again(world: World, act: str) -> None:
    """The next such write gets no answer, is sent again, and is carried out an hour later all the same."""
    write = world.board._write

    def late(what: str, carry_out):  # type: ignore[no-untyped-def]
        if what.startswith(act):
            world.board._write = write  # type: ignore[method-assign]
            world.board.late.append((world.clock.now() + timedelta(minutes=30), carry_out))
            raise errors.TimedOut("No answer.", outcome_unknown=True)
        return write(what, carry_out)

    world.board._write = late  # type: ignore[method-assign]


@pytest.mark.parametrize("gives_markers", [True, False])
def test_a_comment_that_is_carried_out_again_is_nobodys_news(gives_markers: bool) -> None:
    world, raised, linked = with_a_third_system()
    world.board.gives_markers = gives_markers
    yard = next(fake for fake in world.fakes.values() if fake.name == "yard")
    carried_out_again(world, "comment")
    world.desk.person_comments(raised, "Where is it?")
    world.run()

    assert world.board.texts(linked) == ["Mina\nWhere is it?"] * 2
    (passed_on,) = yard.tickets.values()
    assert len(passed_on.comments) == 1
    assert world.desk.texts(raised) == ["Where is it?"]
    told = SyncEvent.objects.get(is_double=True)
    assert told.caused_by is not None
    assert told.ticket.remote_id == linked

    watch(now=world.clock.now())
    alert = Alert.objects.get(code="doubled_effect")
    assert (alert.message, alert.severity, alert.system) == (
        f"board carried a request out too late: a comment or file of ours stands twice on board-{linked}.",
        1,
        world.board_row,
    )


def test_a_file_that_is_carried_out_again_is_nobodys_news() -> None:
    world, raised, linked = with_a_third_system()
    carried_out_again(world, "attach")
    world.desk.person_attaches(raised, "log.txt", b"a line")
    world.run()

    assert world.board.tickets[linked].files == ["log.txt", "log.txt"]
    assert world.desk.tickets[raised].files == ["log.txt"]
    yard = next(fake for fake in world.fakes.values() if fake.name == "yard")
    assert [ticket.files for ticket in yard.tickets.values()] == [["log.txt"]]
    assert SyncEvent.objects.filter(is_double=True).count() == 1


def test_a_value_that_is_carried_out_again_gives_way_to_the_newer_one() -> None:
    world, raised, linked = with_a_third_system()
    carried_out_again(world, "update")
    world.desk.person_sets(raised, subject="two")
    world.run(hours=0.3)
    assert world.board.tickets[linked].fields["summary"] == "two"
    world.board.person_sets(linked, summary="three")
    world.run()

    history = [
        one.fields["summary"] for one in world.board.tickets[linked].history if "summary" in one.fields
    ]
    assert history == ["one", "two", "three", "two", "three"]
    assert world.desk.tickets[raised].fields["subject"] == "three"
    yard = next(fake for fake in world.fakes.values() if fake.name == "yard")
    assert [ticket.fields["summary"] for ticket in yard.tickets.values()] == ["three"]
    assert world.waiting() == []
