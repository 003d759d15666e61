"""Reconciling: both sides as they are now, what differs without a reason, and how it is mended."""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from integrations.models import (
    Connection,
    Delivery,
    Drift,
    Examination,
    FieldRule,
    LinkedTicket,
    MappingSet,
    Reconciliation,
    Side,
    SyncEvent,
)
from integrations.services import drift as drift_service
from integrations.services import reconciliation, undo
from integrations.services.queue import skip_delivery
from integrations.services.refusals import NotPossible
from integrations.store.django import DjangoStore
from tests.integrations import scenes
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db


class Linked:
    """A ticket at the desk and its twin at the board, both quiet."""

    def __init__(self) -> None:
        self.world = World()
        scenes.dictionary(self.world.connection.sides.first(), title="Title", status="Status")
        self.here = self.world.desk.person_creates(subject="one", status="new")
        self.world.desk.person_comments(self.here, "The customer calls.")
        self.world.desk.person_attaches(self.here, "receipt.txt")
        self.world.run()
        self.there = self.world.twin(self.world.desk_row, self.here)
        self.linked = LinkedTicket.objects.get()

    @property
    def desk(self) -> Any:
        return self.world.desk.tickets[self.here]

    @property
    def board(self) -> Any:
        return self.world.board.tickets[self.there]

    def reconcile(self) -> Reconciliation:
        """Ask for it, and let everything that follows happen."""
        run = reconciliation.reconcile_ticket(self.linked, by=None, now=self.world.clock.now())
        assert run is not None
        self.work()
        run.refresh_from_db()
        return run

    def work(self) -> None:
        for _ in range(40):
            self.world.run()
            self.world.clock.advance(5)
            if not reconciliation.carry_on(for_s=30, opener=self.opener, clock=self.world.clock.now):
                break
        self.world.run()

    def opener(self, system: Any) -> Any:
        return self.world.get(system.pk)

    def drift(self) -> list[tuple[str, str, str, str, str, str]]:
        return [
            (one.kind, one.label, one.reason, one.expected, one.found, one.state)
            for one in Drift.objects.order_by("pk")
        ]

    def policy(self, policy: str) -> None:
        Connection.objects.update(drift_policy=policy)


def test_what_agrees_is_counted() -> None:
    both = Linked()

    run = both.reconcile()

    assert (run.state, run.compared, run.differing, run.unread, run.done, run.total) == (
        "ended",
        1,
        0,
        0,
        1,
        1,
    )
    found = Examination.objects.get()
    assert found.agrees
    body = {name: found.body[name] for name in ("fields", "comments", "files", "exceptions")}
    assert body == {"fields": ["title", "status"], "comments": 1, "files": 1, "exceptions": []}
    assert Drift.objects.count() == 0


def test_an_edit_without_history_is_found_and_carried_over_when_somebody_says_so() -> None:
    both = Linked()
    both.world.board.edited_silently(both.there, status="Done")
    before = SyncEvent.objects.count()

    run = both.reconcile()

    assert (run.compared, run.differing, run.repaired) == (1, 1, 0)
    assert both.drift() == [("field", "Status", "unrecorded", "solved", "new", "open")]
    assert not Examination.objects.get().agrees
    # Nothing was done yet, and nothing was written.
    assert SyncEvent.objects.count() == before
    assert both.desk.fields["status"] == "new"

    drift = Drift.objects.get()
    assert drift_service.repair(drift, now=both.world.clock.now())
    both.world.run()

    assert both.desk.fields["status"] == "solved"
    assert both.board.fields["status"] == "Done"
    drift.refresh_from_db()
    assert drift.repair is not None
    assert (drift.repair.operation, drift.repair.state) == ("update", "done")
    assert drift.repair.event is not None
    assert drift.repair.event.change_id.startswith("reconcile:")
    run = both.reconcile()
    assert (run.differing, Drift.objects.get().state) == (0, "closed")
    assert Examination.objects.get().agrees


def test_a_connection_may_repair_by_itself() -> None:
    both = Linked()
    both.policy("repair")
    both.world.desk.edited_silently(both.here, subject="two")

    run = both.reconcile()

    assert run.repaired == 1
    assert both.board.fields["summary"] == "two"
    assert Drift.objects.get().state == "queued"
    both.reconcile()
    assert Drift.objects.get().state == "closed"


def test_a_change_that_was_left_out_is_told_again() -> None:
    both = Linked()
    # What is refused right after a reading is tried on a new one first.
    both.world.board.faults.extend(["400", "400"])
    both.world.desk.person_sets(both.here, subject="two")
    both.world.run()
    head = Delivery.objects.waiting().get()
    assert skip_delivery(head, "not needed", now=both.world.clock.now()).is_done
    both.policy("repair")

    run = both.reconcile()

    assert both.drift() == [("field", "Title", "not_there", "two", "one", "queued")]
    assert run.repaired == 1
    assert both.board.fields["summary"] == "two"
    repair = Drift.objects.get().repair
    assert repair is not None
    assert repair.origin.startswith("reconcile:")
    assert both.desk.fields["subject"] == "two"


def test_a_comment_that_was_removed_is_only_put_back_when_a_person_says_so() -> None:
    both = Linked()
    both.policy("repair")
    both.board.comments.clear()

    both.reconcile()

    assert both.drift() == [("comment", "Comment by Mina", "removed", "The customer calls.", "", "open")]
    assert both.board.comments == []
    drift_service.repair(Drift.objects.get(), now=both.world.clock.now())
    both.world.run()
    assert both.world.board.texts(both.there) == ["Mina\nThe customer calls."]
    both.reconcile()
    assert Drift.objects.get().state == "closed"
    assert Examination.objects.get().body["comments"] == 1


def test_what_a_side_made_itself_is_never_too_much() -> None:
    both = Linked()
    both.policy("repair")
    both.world.board.person_comments(both.there, "Only for us.", is_public=False)
    both.world.run()
    both.world.board.calls.clear()
    both.world.desk.calls.clear()

    run = both.reconcile()

    assert (run.differing, run.repaired) == (0, 0)
    assert writes([*both.world.board.calls, *both.world.desk.calls]) == ["read 1", "read 1"]
    assert [one["why"] for one in Examination.objects.get().body["exceptions"]] == ["internal"]
    assert both.world.board.texts(both.there)[-1] == "Only for us."


def test_a_field_in_one_direction_that_its_receiver_changed_is_an_exception() -> None:
    both = Linked()
    FieldRule.objects.filter(
        mapping_set__side__position="right", mapping_set__direction="outgoing", target="title"
    ).delete()
    both.world.store = DjangoStore(both.world.random)
    both.world.board.person_sets(both.there, summary="our words")
    both.world.run()

    both.reconcile()

    found = Examination.objects.get()
    assert found.agrees
    assert found.body["fields"] == ["status"]
    assert [(one["key"], one["why"]) for one in found.body["exceptions"]] == [("title", "one_way")]


def test_a_redacted_field_is_named_as_an_exception() -> None:
    both = Linked()
    FieldRule.objects.filter(
        mapping_set__side__position="left", mapping_set__direction="outgoing", target="title"
    ).update(transform="redact")
    FieldRule.objects.filter(
        mapping_set__side__position="right", mapping_set__direction="outgoing", target="title"
    ).delete()
    MappingSet.objects.update(version=2)
    both.world.clock.advance(10)
    both.world.desk.person_sets(both.here, subject="secret")
    both.world.store = DjangoStore(both.world.random)
    both.world.run()

    both.reconcile()

    found = Examination.objects.get()
    assert both.board.fields["summary"] == "[redacted]"
    assert [(one["key"], one["why"]) for one in found.body["exceptions"]] == [("title", "redacted")]
    assert found.body["fields"] == ["status"]


def test_what_is_on_its_way_is_no_drift() -> None:
    both = Linked()
    both.world.hints_arrive = False
    both.world.desk.person_sets(both.here, status="open")

    run = both.reconcile()

    # The history told of it, so it was read, carried over, and compared after that.
    assert (run.state, run.compared, run.differing) == ("ended", 1, 0)
    assert Drift.objects.count() == 0
    assert both.board.fields["status"] == "In Progress"


def test_a_lane_that_waits_for_a_person_comes_first() -> None:
    both = Linked()
    # What is refused right after a reading is tried on a new one first.
    both.world.board.faults.extend(["400", "400"])
    both.world.desk.person_sets(both.here, subject="two")
    both.world.run()

    run = both.reconcile()

    assert (run.compared, run.unread) == (0, 1)
    assert Examination.objects.get().problem == "Changes wait for a person in the queue; they come first."


def test_a_repair_refuses_when_the_ticket_has_changed_since() -> None:
    both = Linked()
    both.world.board.edited_silently(both.there, status="Done")
    both.reconcile()
    both.world.board.person_sets(both.there, status="In Progress")
    both.world.run()

    with pytest.raises(NotPossible, match="has changed since it was compared"):
        drift_service.repair(Drift.objects.get(), now=both.world.clock.now())

    assert Drift.objects.get().state == "open"


def test_what_a_repair_did_not_mend_is_not_tried_again_without_a_person() -> None:
    both = Linked()
    both.policy("repair")
    both.world.desk.edited_silently(both.here, subject="two")
    both.reconcile()
    both.world.board.edited_silently(both.there, summary="one")
    # As if the write had changed nothing there, and its history showed nothing either.
    ticket = both.linked.sides.get(side__position="right").ticket
    assert ticket is not None
    ticket.actual = {**ticket.actual, "summary": "one"}
    ticket.save()

    run = both.reconcile()

    assert run.repaired == 0
    drift = Drift.objects.get()
    assert (drift.state, drift.needs_a_person) == ("open", True)


def test_what_was_accepted_stays_accepted_until_it_changes() -> None:
    both = Linked()
    both.world.board.edited_silently(both.there, status="Done")
    both.reconcile()
    assert drift_service.accept(
        Drift.objects.get(), "Agreed by telephone", by=None, now=both.world.clock.now()
    )

    both.reconcile()

    assert Drift.objects.get().state == "accepted"
    assert Examination.objects.get().agrees
    both.world.board.edited_silently(both.there, status="In Progress")
    both.reconcile()
    lapsed = Drift.objects.get()
    assert (lapsed.state, lapsed.is_lapsed, lapsed.needs_a_person) == ("open", True, True)
    assert lapsed.closed_because == "Agreed by telephone"


def test_a_policy_that_repairs_leaves_an_exception_alone_that_has_lapsed() -> None:
    both = Linked()
    both.world.board.edited_silently(both.there, status="Done")
    both.reconcile()
    drift_service.accept(Drift.objects.get(), "Agreed", by=None, now=both.world.clock.now())
    both.policy("repair")
    both.world.board.edited_silently(both.there, status="In Progress")

    run = both.reconcile()

    assert (run.repaired, Drift.objects.get().state) == (0, "open")
    assert both.desk.fields["status"] == "new"


def test_an_exception_that_is_taken_back_counts_again() -> None:
    both = Linked()
    both.world.board.edited_silently(both.there, status="Done")
    both.reconcile()
    drift_service.accept(Drift.objects.get(), "Agreed", by=None, now=both.world.clock.now())

    assert drift_service.revoke(Drift.objects.get())
    assert not drift_service.revoke(Drift.objects.get())

    drift = Drift.objects.get()
    assert (drift.state, drift.closed_because, drift.decided_at, drift.is_lapsed) == ("open", "", None, False)
    assert drift_service.repair(drift, now=both.world.clock.now())
    both.world.run()
    assert both.desk.fields["status"] == "solved"


def test_all_that_one_comparison_found_in_a_ticket_is_repaired_one_after_the_other() -> None:
    both = Linked()
    both.world.board.edited_silently(both.there, status="Done", summary="two")
    both.reconcile()

    for drift in Drift.objects.order_by("pk"):
        assert drift_service.repair(drift, now=both.world.clock.now())
    both.world.run()

    assert (both.desk.fields["status"], both.desk.fields["subject"]) == ("solved", "two")


def test_a_run_that_was_killed_goes_on_where_it_stopped() -> None:
    both = Linked()
    for number in range(4):
        both.world.desk.person_creates(subject=f"more {number}", status="new")
    both.world.run()
    run = reconciliation.reconcile_connection(both.world.connection, by=None, now=both.world.clock.now())
    assert run is not None
    opened: list[str] = []

    def dies_at_the_third(system: Any) -> Any:
        fake = both.world.get(system.pk)

        class Dying:
            def __getattr__(self, name: str) -> Any:
                return getattr(fake, name)

            def read(self, remote_id: str) -> Any:
                opened.append(remote_id)
                if len(opened) == 5:
                    raise KeyboardInterrupt
                return fake.read(remote_id)

        return Dying()

    with pytest.raises(KeyboardInterrupt):
        reconciliation.carry_on(for_s=30, opener=dies_at_the_third, clock=both.world.clock.now)
    run.refresh_from_db()
    assert (run.compared, run.state, run.percent) == (2, "running", 40)
    # It is somebody's until the claim has run out.
    assert not reconciliation.carry_on(for_s=30, opener=both.opener, clock=both.world.clock.now)
    both.world.clock.advance(reconciliation.CLAIM_FOR.total_seconds())

    both.world.desk.calls.clear()
    both.work()

    run.refresh_from_db()
    assert (run.compared, run.state, run.percent) == (5, "ended", 100)
    assert len([call for call in both.world.desk.calls if call.startswith("read")]) == 3


def test_live_work_comes_before_a_nightly_run() -> None:
    both = Linked()
    run = reconciliation.reconcile_connection(
        both.world.connection, by=None, now=both.world.clock.now(), is_nightly=True
    )
    assert run is not None
    both.world.desk.person_creates(subject="more", status="new")

    reconciliation.carry_on(for_s=30, opener=both.opener, clock=both.world.clock.now)

    run.refresh_from_db()
    assert run.compared <= 1
    assert run.due_at > both.world.clock.now()


def test_every_active_connection_gets_its_turn_once_a_night(settings: Any) -> None:
    settings.SYNC_NIGHT_BEGINS_H, settings.SYNC_NIGHT_LASTS_H = 1, 5
    both = Linked()
    Connection.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    evening = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)

    begun = [
        (evening + timedelta(minutes=minute)).hour
        for minute in range(0, 24 * 60, 10)
        for _ in reconciliation.begin_nightly(evening + timedelta(minutes=minute))
    ]

    assert len(begun) == 1
    assert 1 <= begun[0] < 6
    assert Reconciliation.objects.get().connection == both.world.connection


def undone(both: Linked, *, by: Any = None) -> None:
    """The desk changes the status under rules that take it wrongly at the board, and that write is undone there."""
    world = both.world
    side = Side.objects.get(system=world.board_row)
    statuses = {"new": "To Do", "open": "Done", "solved": "In Progress"}
    scenes.publish(side, "incoming", {"summary": "title", "status": ("status", statuses)})
    world.clock.advance(30)
    world.desk.person_sets(both.here, status="open")
    world.run()
    assert both.board.fields["status"] == "Done"
    world.clock.advance(5)
    delivery = Delivery.objects.get(operation="update", target__remote_id=both.there)
    one = undo.begin_with_delivery(delivery, by=by, now=world.clock.now())
    work = functools.partial(undo.work_on, until=time.monotonic() + 30, clock=world.clock.now)
    work(one)
    assert undo.confirm(one, now=world.clock.now())
    work(one)
    world.run()
    assert (both.board.fields["status"], both.desk.fields["status"]) == ("To Do", "open")


@pytest.mark.parametrize("policy", ["ask", "repair"])
def test_what_was_undone_differs_on_purpose_until_the_sender_changes_it_again(policy: str) -> None:
    both = Linked()
    both.policy(policy)
    undone(both, by=get_user_model().objects.create_user("ravi"))
    written = Delivery.objects.count()

    run = both.reconcile()

    assert (run.differing, run.repaired, both.drift()) == (0, 0, [])
    assert (both.board.fields["status"], both.desk.fields["status"]) == ("To Do", "open")
    assert Delivery.objects.count() == written
    found = Examination.objects.get()
    at = Delivery.objects.get(operation="revert").done_at
    assert found.agrees
    assert found.body["exceptions"] == [
        {
            "kind": "field",
            "key": "status",
            "why": "undone",
            "from_left": True,
            "at": at.isoformat(),
            "by": "ravi",
        }
    ]

    both.world.desk.person_sets(both.here, status="solved")
    both.world.run()
    both.world.clock.advance(5)
    run = both.reconcile()

    assert (both.board.fields["status"], both.desk.fields["status"]) == ("In Progress", "solved")
    assert (run.differing, Examination.objects.get().body["exceptions"]) == (0, [])


@pytest.mark.parametrize(("policy", "repaired"), [("ask", 0), ("repair", 1)])
def test_a_change_without_history_ends_what_was_undone(policy: str, repaired: int) -> None:
    both = Linked()
    both.policy(policy)
    undone(both)
    both.world.desk.edited_silently(both.here, status="solved")

    run = both.reconcile()

    assert (run.differing, run.repaired) == (1, repaired)
    assert both.board.fields["status"] == ("In Progress" if repaired else "To Do")
    assert both.desk.fields["status"] == "solved"


def test_drift_that_was_found_before_its_field_was_undone_is_closed_with_the_reason() -> None:
    both = Linked()
    undone(both)
    source, target = (Side.objects.get(system=row) for row in (both.world.desk_row, both.world.board_row))
    Drift.objects.create(
        linked_ticket=both.linked,
        connection=both.linked.connection,
        source=source,
        target=target,
        kind="field",
        key="status",
        label="Status",
        reason="not_there",
        found_at=both.world.clock.now(),
        seen_at=both.world.clock.now(),
    )

    both.reconcile()

    assert list(Drift.objects.values_list("state", "closed_because")) == [
        ("closed", "It was undone: it differs on purpose until the sender changes it again.")
    ]
