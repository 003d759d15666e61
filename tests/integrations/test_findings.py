"""Findings: opened when a system's fields change under somebody's rules, closed by themselves, acknowledged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.canonical import FieldKind, FieldSpec
from integrations.connectors.errors import TimedOut
from integrations.models import MappingSet, Side, System, SystemFinding
from integrations.services import findings, metadata
from integrations.services.mappings import delete_rule, draft_rules, publish_mapping
from integrations.services.refusals import NotPossible
from tests import factories
from tests.integrations import scenes
from tests.integrations.scenes import NOW

pytestmark = pytest.mark.django_db

STATES = ("To Do", "In Progress", "In Review", "Done")


class Told:
    """A connector that tells of these fields, or fails."""

    def __init__(self, *specs: FieldSpec, error: Exception | None = None) -> None:
        self.specs, self.error, self.calls = specs, error, 0

    def fields(self) -> tuple[FieldSpec, ...]:
        self.calls += 1
        if self.error:
            raise self.error
        return self.specs


@pytest.fixture
def sides() -> tuple[Side, Side]:
    """Mercuri's Zendesk and Infinity's Jira, joined by the rules that ship."""
    left = factories.make_system(factories.mercuri(), "zendesk", name="Mercuri Zendesk")
    right = factories.make_system(factories.infinity(), "jira", name="Infinity Jira")
    joined = factories.make_connection(left, right)
    one, other = joined.sides.select_related("system__partner", "connection").order_by("position")
    return one, other


def jira_fields(**changed: dict[str, Any] | None) -> dict[str, Any]:
    """Jira's fields with some changed, or (None) gone."""
    rows = [
        {**row, **(changed.get(row["name"]) or {})}
        for row in factories.FIELDS["jira"]
        if changed.get(row["name"], {}) is not None
    ]
    return {"fields": rows}


def take(system: System, *, days: int = 0, **changed: dict[str, Any] | None) -> list[SystemFinding]:
    return findings.take_metadata(system, jira_fields(**changed), now=NOW + timedelta(days=days))


def test_a_value_that_went_names_the_rules_and_the_tickets_that_hold_it(sides: tuple[Side, Side]) -> None:
    left, right = sides
    done = scenes.matter(left, right, right_fields={"status": "Done"}, number=1)
    scenes.matter(left, right, right_fields={"status": "To Do"}, number=2)
    held = scenes.matter(left, right, right_fields={"status": "In Review"}, number=3)

    [gone] = take(right.system, status={"values": ["To Do", "In Progress", "Done"]})
    [also] = take(right.system, status={"values": ["To Do", "In Progress"]})

    assert (gone.code, gone.value, gone.grade, gone.state) == ("value_gone", "In Review", "look", "open")
    assert list(findings.tickets_of(gone)) == [held.linked]
    assert (also.value, also.grade) == ("Done", "block")
    assert [(one.place.value, str(one.rule)) for one in findings.touched_by(also)] == [
        ("outgoing", "status → status"),
        ("incoming", "status → status"),
    ]
    # Whoever is done needs no more changes.
    assert list(findings.tickets_of(also)) == []
    assert done.right_ticket.actual == {"status": "Done"}


def test_a_field_that_went_touches_every_open_ticket_of_its_connections(sides: tuple[Side, Side]) -> None:
    left, right = sides
    scenes.matter(left, right, right_fields={"status": "Done"}, number=1)
    open_one = scenes.matter(left, right, right_fields={"status": "To Do"}, number=2)
    to_be_made = scenes.matter(left, right, number=3)

    [gone] = take(right.system, priority=None)

    gone.refresh_from_db()
    assert set(findings.tickets_of(gone)) == {open_one.linked, to_be_made.linked}
    assert (gone.grade, gone.ticket_count, gone.message) == ("block", 2, "The field “Priority” is gone.")


def test_a_change_that_no_rule_uses_is_no_finding(sides: tuple[Side, Side]) -> None:
    _, right = sides

    assert take(right.system, assignee=None) == []
    assert SystemFinding.objects.count() == 0


def test_a_finding_closes_when_the_change_is_undone(sides: tuple[Side, Side]) -> None:
    _, right = sides
    [gone] = take(right.system, priority=None)

    take(right.system, days=1)

    gone.refresh_from_db()
    assert (gone.state, gone.closed_because, gone.closed_at) == (
        "closed",
        findings.UNDONE,
        NOW + timedelta(days=1),
    )


def test_the_same_reading_again_opens_nothing_twice(sides: tuple[Side, Side]) -> None:
    _, right = sides
    take(right.system, priority=None)
    take(right.system, days=1)
    [again] = take(right.system, days=2, priority=None)
    take(right.system, days=3, priority=None)

    assert list(SystemFinding.objects.live()) == [again]
    assert SystemFinding.objects.count() == 2


def test_a_limit_that_shrinks_twice_is_one_finding(sides: tuple[Side, Side]) -> None:
    _, right = sides

    take(right.system, summary={"max_length": 100})
    take(right.system, summary={"max_length": 50})

    [one] = SystemFinding.objects.all()
    assert (one.before, one.after) == ("255", "50")
    assert one.message == "“Summary” takes 50 characters at most now; 100 before."


def test_a_finding_closes_when_no_rule_uses_it_any_more(sides: tuple[Side, Side]) -> None:
    _, right = sides
    [gone] = take(right.system, priority=None)
    for direction in MappingSet.Direction:
        draft = draft_rules(right, direction)
        for rule in draft.rules.filter(target="priority"):
            delete_rule(rule)
        publish_mapping(draft, by=None, now=NOW)

    findings.review(right.system, now=NOW + timedelta(hours=1))

    gone.refresh_from_db()
    assert (gone.state, gone.closed_because) == ("closed", findings.UNUSED)


def test_a_field_that_new_tickets_need_touches_the_side_that_opens_them(sides: tuple[Side, Side]) -> None:
    left, right = sides
    waiting = scenes.matter(left, right, number=1)
    scenes.matter(left, right, right_fields={"status": "To Do"}, number=2)

    [needed] = take(right.system, assignee={"is_required": True})

    assert (needed.code, needed.grade) == ("newly_required", "block")
    assert [(one.place.value, one.rule) for one in findings.touched_by(needed)] == [("incoming", None)]
    assert list(findings.tickets_of(needed)) == [waiting.linked]


def test_a_new_value_without_a_row_is_worth_a_look(sides: tuple[Side, Side]) -> None:
    _, right = sides

    [new] = take(right.system, status={"values": [*STATES, "Waiting for parts"]})

    assert (new.code, new.grade) == ("value_new", "look")


def test_a_version_knows_which_of_its_rules_are_touched(sides: tuple[Side, Side]) -> None:
    _, right = sides
    [gone] = take(right.system, priority=None)
    published = right.mapping_sets.get(direction="incoming", state="published")
    number = [rule.target for rule in published.rules.all()].index("priority")

    assert findings.rules_touched(published) == {number: [gone]}


def test_whoever_acknowledges_a_finding_says_why(sides: tuple[Side, Side]) -> None:
    _, right = sides
    person = factories.make_user("ines")
    [gone] = take(right.system, priority=None)

    with pytest.raises(NotPossible, match="Say why"):
        findings.acknowledge(gone, "  ", by=person, now=NOW)
    done = findings.acknowledge(gone, "Comes back on Monday", by=person, now=NOW)
    again = findings.acknowledge(gone, "Once more", by=person, now=NOW)
    take(right.system, days=1, priority=None)

    gone.refresh_from_db()
    assert (done, again) == (True, False)
    assert (gone.state, gone.acknowledged_reason, gone.acknowledged_by) == (
        "acknowledged",
        "Comes back on Monday",
        person,
    )


# --- Reading anew ---


def test_fields_are_read_once_a_day_and_by_one_worker(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = sides
    System.objects.filter(pk=left.system_id).update(metadata_due_at=NOW + timedelta(hours=5))
    told = Told(FieldSpec("summary", "Summary", FieldKind.TEXT))
    monkeypatch.setattr(metadata, "open_connector_for", lambda system: told)

    answers = [metadata.refresh_next_due(NOW) for _ in range(3)]

    system = System.objects.get(pk=right.system_id)
    assert (answers, told.calls) == ([True, False, False], 1)
    assert (system.metadata_at, system.metadata_due_at) == (NOW, NOW + timedelta(days=1))
    assert [row["name"] for row in system.metadata["fields"]] == ["summary"]


def test_a_worker_that_comes_second_leaves_the_reading_to_the_first(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = sides
    System.objects.filter(pk=left.system_id).update(metadata_due_at=NOW + timedelta(hours=5))
    due = System.objects.metadata_due(NOW)
    seen_before = due.get()
    System.objects.filter(pk=right.system_id).update(metadata_due_at=NOW + timedelta(hours=1))
    told = Told(FieldSpec("summary", "Summary", FieldKind.TEXT))
    monkeypatch.setattr(metadata, "open_connector_for", lambda system: told)
    monkeypatch.setattr(type(due), "first", lambda self: seen_before)

    assert metadata.refresh_next_due(NOW) is False
    assert told.calls == 0


@pytest.mark.parametrize("told", [Told(error=TimedOut("It did not answer.")), Told()])
def test_a_reading_that_fails_keeps_what_was_known_and_comes_again(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    _, right = sides
    known = right.system.metadata
    monkeypatch.setattr(metadata, "open_connector_for", lambda system: told)

    with pytest.raises(NotPossible):
        metadata.refresh_metadata(right.system, now=NOW)

    system = System.objects.get(pk=right.system_id)
    assert system.metadata == known
    assert system.metadata_due_at == NOW + timedelta(hours=1)
    assert system.metadata_problem != ""
    assert SystemFinding.objects.count() == 0


def test_a_step_that_went_names_the_value_map_and_the_tickets_that_stand_before_it(
    sides: tuple[Side, Side],
) -> None:
    left, right = sides
    waits = scenes.matter(left, right, right_fields={"status": "In Review"}, number=1)
    scenes.matter(left, right, right_fields={"status": "Done"}, number=2)

    def workflow(*ways: tuple[str, str]) -> dict[str, Any]:
        steps = [{"from": one, "to": other, "requires": []} for one, other in ways]
        return {"steps": steps, "steps_known": list(STATES)}

    whole = [("To Do", "In Progress"), ("In Progress", "In Review"), ("In Progress", "Done")]
    assert take(right.system, status=workflow(*whole, ("In Review", "Done"))) == []

    [gone] = take(right.system, days=1, status=workflow(*whole))

    assert (gone.code, gone.value, gone.grade) == ("step_gone", "In Review → Done", "block")
    assert list(findings.tickets_of(gone)) == [waits.linked]
    assert [(one.place.value, str(one.rule)) for one in findings.touched_by(gone)] == [
        ("incoming", "status → status")
    ]

    [out] = take(right.system, days=2, status=workflow(*whole[:2]))
    assert (out.code, out.value, out.grade) == ("status_unreachable", "Done", "block")
    assert list(findings.tickets_of(out)) == [waits.linked]

    assert take(right.system, days=3, status=workflow(*whole, ("In Review", "Done"))) == []
    assert not SystemFinding.objects.live().exists()


def test_a_field_that_a_step_demands_now_is_a_finding_unless_a_rule_fills_it(
    sides: tuple[Side, Side],
) -> None:
    right = sides[1]

    def demanding(*names: str) -> dict[str, Any]:
        step = {"from": "In Review", "to": "Done", "requires": list(names)}
        return {"steps": [step], "steps_known": list(STATES)}

    assert take(right.system, status=demanding()) == []
    [more] = take(right.system, days=1, status=demanding("close_code"))
    assert (more.code, more.value, more.after, more.grade) == ("step_demands", "Done", "close_code", "look")
    take(right.system, days=2, status=demanding())
    assert not SystemFinding.objects.live().exists()
