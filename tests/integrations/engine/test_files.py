"""Files on their way through the engine: what passes by both sides' rules, what really travelled, what stands in."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from integrations.engine.effects import CarryFile
from integrations.mapping.files import PROGRAMS
from integrations.models import Attempt, Delivery, LinkedTicket, MappingSet, System, Withheld
from integrations.services.comparison import compare
from integrations.services.file_comparison import compare_files
from integrations.services.timeline.timelines import timeline
from integrations.services.timeline.viewers import Viewer
from integrations.store.django import DjangoStore
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db

CONTENT = b"what is in the file"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def world() -> World:
    return World()


def rules(world: World, system: System, direction: str, **policy: Any) -> None:
    """Change what the published rules of a side say of files."""
    MappingSet.objects.filter(side__system=system, direction=direction).update(**policy)
    # What is published never changes in the product, so a store that knows it does not look again.
    world.store = DjangoStore(world.random)


def begun(world: World) -> tuple[str, str]:
    """A ticket of the desk, and its twin on the board."""
    raised = world.desk.person_creates(subject="one")
    world.run()
    return raised, world.twin(world.desk_row, raised)


def file_delivery() -> Delivery:
    return Delivery.objects.get(operation="file")


def test_what_really_travelled_is_counted_and_hashed(world: World) -> None:
    raised, twin = begun(world)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    assert world.board.contents(twin) == {"plan.txt": CONTENT}
    assert file_delivery().result["file"] == {"sha256": DIGEST, "size_bytes": len(CONTENT)}


def test_what_left_is_known_when_the_answer_was_lost_and_the_file_is_there_once(world: World) -> None:
    raised, twin = begun(world)
    world.board.faults.append("lost_after")
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    assert world.board.tickets[twin].files == ["plan.txt"]
    assert world.desk.tickets[raised].files == ["plan.txt"]
    assert (file_delivery().state, file_delivery().result) == (
        "done",
        {"file": {"sha256": DIGEST, "size_bytes": len(CONTENT)}},
    )


@pytest.mark.parametrize(
    ("policy", "name", "content_type", "code", "reason"),
    [
        (
            {"files_never": list(PROGRAMS)},
            "plan.exe",
            "text/plain",
            "file_type_refused",
            "Files ending in .exe are not taken.",
        ),
        (
            {"files_never": list(PROGRAMS)},
            "plan",
            "application/x-msdownload",
            "file_type_refused",
            "Files of the type application/x-msdownload are not taken.",
        ),
        (
            {"files_only": [".pdf"]},
            "plan.txt",
            "text/plain",
            "file_type_refused",
            "Files ending in .txt are not taken; only .pdf are taken.",
        ),
        (
            {"file_max_bytes": 10},
            "plan.txt",
            "text/plain",
            "file_too_large",
            "Files of more than 10 bytes are not taken.",
        ),
    ],
)
def test_a_file_that_the_receiver_does_not_take_becomes_a_note_with_the_reason(
    world: World, policy: dict, name: str, content_type: str, code: str, reason: str
) -> None:
    raised, twin = begun(world)
    rules(world, world.board_row, "incoming", **policy)
    world.board.calls.clear()
    world.desk.calls.clear()
    world.desk.person_attaches(raised, name, CONTENT, content_type=content_type)
    world.desk.person_sets(raised, subject="two")
    world.run()
    assert world.board.texts(twin) == [f"The file “{name}” stays in Mercuri's system. {reason}"]
    assert world.board.tickets[twin].files == []
    assert world.board.tickets[twin].fields["summary"] == "two"
    assert writes(world.board.calls)[0] == f"comment {twin}"
    assert "open" not in world.desk.calls
    delivery = file_delivery()
    assert (delivery.state, delivery.wanted) == ("done", {"stand_in": {"code": code, "message": reason}})
    assert Attempt.objects.filter(delivery=delivery).count() == 1
    assert world.waiting() == []


def test_the_note_for_a_refused_file_is_written_once_when_its_answer_is_lost(world: World) -> None:
    raised, twin = begun(world)
    rules(world, world.board_row, "incoming", file_max_bytes=10)
    world.board.faults.append("lost_after")
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    assert len(world.board.texts(twin)) == 1
    assert file_delivery().wanted["stand_in"]["code"] == "file_too_large"
    assert world.desk.texts(raised) == []


def test_a_system_that_tells_its_own_limit_is_not_sent_more(world: World) -> None:
    raised, twin = begun(world)
    System.objects.filter(pk=world.board_row.pk).update(
        metadata={"files": {"max_bytes": 10, "endings": [".txt"]}}
    )
    world.store = DjangoStore(world.random)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.desk.person_attaches(raised, "plan.pdf", b"short")
    world.desk.person_attaches(raised, "note.txt", b"short")
    world.run()
    assert world.board.texts(twin) == [
        "The file “plan.txt” stays in Mercuri's system. Files of more than 10 bytes are not taken.",
        "The file “plan.pdf” stays in Mercuri's system. Files ending in .pdf are not taken; only .txt are taken.",
    ]
    assert world.board.contents(twin) == {"note.txt": b"short"}


def test_a_limit_that_the_system_tells_counts_more_than_what_such_systems_usually_take(world: World) -> None:
    raised, twin = begun(world)
    usual = world.board.capabilities.max_attachment_bytes
    world.desk.person_attaches(raised, "first.txt", b"", announced=usual + 1)
    world.run()
    assert world.board.texts(twin) == [
        "The file “first.txt” stays in Mercuri's system. Files of more than 9.5 MB are not taken."
    ]
    System.objects.filter(pk=world.board_row.pk).update(metadata={"files": {"max_bytes": 2 * usual}})
    world.store = DjangoStore(world.random)
    content = b"x" * (usual + 1)
    world.desk.person_attaches(raised, "second.txt", content)
    world.run()
    assert world.board.contents(twin) == {"second.txt": content}


def test_a_file_longer_than_announced_is_stopped_on_the_way(world: World) -> None:
    raised, twin = begun(world)
    world.desk.person_attaches(raised, "plan.txt", CONTENT, announced=10)
    world.run()
    assert world.board.tickets[twin].files == []
    assert world.board.texts(twin) == [
        "The file “plan.txt” stays in Mercuri's system. It is longer than its own system says, so it was not carried."
    ]
    assert file_delivery().wanted["stand_in"]["code"] == "file_size_wrong"
    assert "file" not in file_delivery().result


def test_a_file_that_is_gone_becomes_a_note_and_nothing_is_begun_there(world: World) -> None:
    raised, twin = begun(world)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    del world.desk.stored["plan.txt"]
    world.board.calls.clear()
    world.run()
    assert writes(world.board.calls) == [f"comment {twin}"]
    assert world.board.texts(twin) == [
        "The file “plan.txt” is not in Mercuri's system any more. It was taken away before it could be carried."
    ]
    assert file_delivery().wanted["stand_in"]["code"] == "file_gone"


@pytest.mark.parametrize("trouble", ["ends early", "breaks off", "503", "401"])
def test_trouble_with_reading_a_file_is_its_own_systems_and_the_file_arrives_when_it_is_over(
    world: World, trouble: str
) -> None:
    raised, twin = begun(world)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    if trouble == "ends early":
        world.desk.stored["plan.txt"] = CONTENT[:6]
    elif trouble == "breaks off":
        world.desk.breaks_off = True
    world.step()
    if trouble in ("503", "401"):
        world.desk.read_faults.append(trouble)
    world.step()
    world.board_row.refresh_from_db()
    world.desk_row.refresh_from_db()
    assert (world.board_row.state, world.board_row.fail_streak) == ("active", 0)
    assert world.desk_row.fail_streak == 1
    assert world.board.tickets[twin].files == []
    world.desk.stored["plan.txt"], world.desk.breaks_off = CONTENT, False
    System.objects.update(state="active", paused_until=None)
    world.run()
    assert world.board.contents(twin) == {"plan.txt": CONTENT}
    assert world.board.texts(twin) == []


def test_the_version_of_the_receivers_rules_that_refused_a_file_is_kept(world: World) -> None:
    raised, _ = begun(world)
    rules(world, world.board_row, "incoming", file_max_bytes=10)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    version = MappingSet.objects.get(side__system=world.board_row, direction="incoming")
    assert file_delivery().incoming_id == version.pk


# --- What does not leave ---


@pytest.mark.parametrize(
    ("policy", "code", "reason"),
    [
        ({"files_never": [".exe"]}, "file_type_refused", "Files ending in .exe do not leave."),
        ({"file_max_bytes": 10}, "file_too_large", "Files of more than 10 bytes do not leave."),
        ({"shares_files": False}, "file_type_refused", "Files do not leave."),
    ],
)
def test_of_a_file_that_does_not_leave_nothing_is_in_any_lane(
    world: World, policy: dict, code: str, reason: str
) -> None:
    raised, twin = begun(world)
    rules(world, world.desk_row, "outgoing", **policy)
    file_id = world.desk.person_attaches(raised, "secret plan.exe", CONTENT)
    world.run()
    assert world.board.tickets[twin].files == []
    assert world.board.texts(twin) == []
    assert not Delivery.objects.filter(operation="file").exists()
    version = MappingSet.objects.get(side__system=world.desk_row, direction="outgoing")
    assert list(Withheld.objects.values_list("file_id", "code", "reason", "outgoing_id")) == [
        (file_id, code, reason, version.pk)
    ]


def test_a_file_that_stays_is_named_to_its_own_company_alone(world: World) -> None:
    raised, _ = begun(world)
    rules(world, world.desk_row, "outgoing", files_never=[".exe"])
    world.desk.person_attaches(raised, "secret plan.exe", CONTENT)
    world.desk.person_attaches(raised, "open.txt", CONTENT)
    world.run()

    def told(*partners: int, sees_all: bool = False) -> set[tuple[str, str]]:
        viewer = Viewer(frozenset(partners), sees_all=sees_all)
        found = timeline(LinkedTicket.objects.get(), viewer, now=world.clock.now())
        return {(file.name, file.stayed) for entry in found.entries for file in entry.files}

    reason = "Files ending in .exe do not leave."
    own, other = world.desk_row.partner_id, world.board_row.partner_id
    assert told(own) == {("secret plan.exe", reason), ("open.txt", "")}
    assert told(own, sees_all=True) == {("secret plan.exe", reason), ("open.txt", "")}
    assert told(other) == {("open.txt", "")}
    assert told(other, sees_all=True) == {("", reason), ("open.txt", "")}
    assert told(sees_all=True) == {("", reason), ("open.txt", "")}


def test_the_timeline_tells_what_travelled_and_what_stands_in(world: World) -> None:
    raised, _ = begun(world)
    rules(world, world.board_row, "incoming", files_never=[".exe"])
    world.desk.person_attaches(raised, "plan.exe", CONTENT)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    for viewer in (
        Viewer(sees_all=True),
        Viewer(frozenset({world.desk_row.partner_id})),
        Viewer(frozenset({world.board_row.partner_id})),
    ):
        found = timeline(LinkedTicket.objects.get(), viewer, now=world.clock.now())
        told = {
            one.what: (one.file and one.file.sha256, one.stand_in and one.stand_in.code)
            for entry in found.entries
            for one in entry.sent
            if one.what.startswith("file")
        }
        assert told == {"file plan.exe": (None, "file_type_refused"), "file plan.txt": (DIGEST, None)}


# --- Compared ---


def compared() -> dict[str, int]:
    return {verdict.value: count for verdict, count in compare_files(LinkedTicket.objects.get()).items()}


def test_files_are_equal_when_the_receivers_history_tells_the_length_that_was_sent(world: World) -> None:
    raised, twin = begun(world)
    rules(world, world.board_row, "incoming", files_never=[".exe"])
    world.desk.person_attaches(raised, "plan.exe", CONTENT)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.board.person_attaches(twin, "answer.txt", b"x")
    world.run()
    assert compared() == {"equal": 2, "note in its place": 1}
    assert compare(LinkedTicket.objects.get()).differing == 0


def test_a_file_that_the_receiver_cut_differs(world: World) -> None:
    raised, _ = begun(world)
    world.board.cuts_files_at = 5
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    assert compared() == {"differs": 1}
    assert compare(LinkedTicket.objects.get()).differing == 1


def test_a_file_is_compared_by_its_delivery_where_a_lost_answer_told_no_id(world: World) -> None:
    raised, _ = begun(world)
    world.board.faults.append("lost_after")
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.run()
    assert compared() == {"equal": 1}


def test_what_was_measured_is_gone_with_a_killed_worker_and_the_file_is_there_once(world: World) -> None:
    raised, twin = begun(world)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.kill_after = lambda effect: isinstance(effect, CarryFile)
    world.step()
    world.step()
    world.kill_after = lambda effect: False
    world.run()
    assert world.board.tickets[twin].files == ["plan.txt"]
    assert compared() == {"not measured": 1}


def test_a_file_is_carried_until_the_receivers_history_was_read_and_under_way_before(world: World) -> None:
    raised, _ = begun(world)
    world.desk.person_attaches(raised, "plan.txt", CONTENT)
    world.step()
    assert compared() == {"on its way": 1}
    world.step()
    assert compared() == {"carried": 1}
