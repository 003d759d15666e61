"""Zendesk's ticket fields: read, described, written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import Attachment, FieldKind, FieldSpec, Person
from integrations.connectors import errors
from integrations.connectors.zendesk import fields
from integrations.connectors.zendesk.fields import FieldTags
from integrations.connectors.zendesk.people import People, id_of, person_of
from integrations.richtext.blocks import from_plain

ANN = {"id": 7, "name": "Ann Lee", "email": "ann@partner.example"}


def people(*users: dict, found: list[dict] | None = None) -> People:
    known = People(lambda ids: [user for user in found or [] if str(user["id"]) in ids])
    known.meet(users)
    return known


# --- Reading ---


@pytest.mark.parametrize(
    ("name", "ours"),
    [("subject", "subject"), ("assignee_id", "assignee"), ("requester_id", "requester"), ("tags", "tags"),
     ("current_tags", "tags"), ("26155630658963", "custom_field_26155630658963"), ("external_id", ""),
     ("group_id", ""), ("custom_status_id", ""), ("satisfaction_score", ""), (None, ""), (5, ""), ("１", "")],
)  # fmt: skip
def test_a_field_of_an_audit_has_our_name_or_none(name: object, ours: str) -> None:
    assert fields.our_name(name) == ours


@pytest.mark.parametrize(
    ("name", "value", "ours"),
    [
        ("status", "open", "open"), ("status", "HOLD", "hold"), ("status", "brand_new", "brand_new"),
        ("priority", None, None), ("priority", "", None), ("type", 5, None),
        ("tags", ["b", "a", "b"], ["a", "b"]), ("tags", "b a", ["a", "b"]), ("tags", None, []), ("tags", [1, "a"], ["a"]),
        ("subject", "Printer", "Printer"), ("subject", {"odd": 1}, "{'odd': 1}"),
        ("assignee", "7", {"id": "7", "name": "Ann Lee", "email": "ann@partner.example"}),
        ("assignee", 7, {"id": "7", "name": "Ann Lee", "email": "ann@partner.example"}),
        ("assignee", {"id": 7}, {"id": "7", "name": "Ann Lee", "email": "ann@partner.example"}),
        ("assignee", {"id": 8, "name": "Bo"}, {"id": "8", "name": "Bo", "email": ""}),
        ("assignee", "9", {"id": "9", "name": "", "email": ""}), ("assignee", None, None), ("assignee", "-1", None),
        ("custom_field_1", "a", "a"), ("custom_field_1", "", None), ("custom_field_1", [], None),
        ("custom_field_1", ["a", "b"], ["a", "b"]), ("custom_field_1", True, True), ("custom_field_1", 1.5, 1.5),
    ],
)  # fmt: skip
def test_a_value_is_read_whatever_form_it_has(name: str, value: object, ours: object) -> None:
    assert fields.our_value(name, value, people(ANN)) == ours


@pytest.mark.parametrize(
    ("value", "id_"),
    [(7, "7"), ("7", "7"), ({"id": 7}, "7"), (-1, ""), (0, ""), ("0", ""), ("-1", ""),
     ("", ""), (None, ""), (True, ""), ("a", ""), ("٣", ""), ([7], ""), (7.0, "")],
)  # fmt: skip
def test_an_id_is_a_number_written_either_way(value: object, id_: str) -> None:
    assert id_of(value) == id_
    person = person_of(value)
    assert (person.id if person else "") == id_


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("2026-01-01T10:00:00+02:00", datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("2026-01-01T10:00:00.5Z", datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01 10:00:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        (1767261600, datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("soon", None), ("", None), (None, None), (True, None), ([], None), (1e30, None), (float("nan"), None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)  # fmt: skip
def test_a_time_is_read_in_utc_or_not_at_all(value: object, at: datetime | None) -> None:
    assert fields.time_of(value) == at


def test_files_keep_their_facts_and_malware_has_no_address() -> None:
    record = {
        "id": 5,
        "file_name": "a.log",
        "content_type": "text/plain",
        "size": 3,
        "content_url": "https://x/a",
    }
    found = fields.attachments_of(
        {"attachments": [record, {**record, "malware_scan_result": "malware_found"}, {"id": "x"}, "odd"]}
    )
    assert found == (
        Attachment("5", "a.log", "text/plain", 3, "https://x/a"),
        Attachment("5", "a.log", "text/plain", 3, ""),
        Attachment("", "file", "application/octet-stream", 0, ""),
    )
    assert fields.attachments_of({"attachments": None}) == ()


# --- People ---


def test_people_are_looked_up_once_and_together() -> None:
    asked: list[list[str]] = []

    def look_up(ids: list[str]) -> list[dict]:
        asked.append(ids)
        return [{"id": int(id_), "name": f"Person {id_}"} for id_ in ids if id_ != "9"]

    known = People(look_up)
    known.meet([ANN, {"id": None}])
    known.find(["7", "8", "9", "", "8"])
    known.find(["8", "9", "10"])
    assert asked == [["8", "9"], ["10"]]
    assert [known.named(id_).name for id_ in ("7", "8", "9", "10", "11")] == [
        "Ann Lee", "Person 8", "", "Person 10", "",
    ]  # fmt: skip


def test_people_who_may_not_be_looked_up_stay_numbers() -> None:
    def refuse(ids: list[str]) -> list[dict]:
        raise errors.Forbidden("no")

    known = People(refuse)
    known.find(["8"])
    assert known.named("8") == Person("8")


def test_very_many_people_are_looked_up_a_hundred_at_a_time() -> None:
    asked: list[int] = []

    def look_up(ids: list[str]) -> list[dict]:
        asked.append(len(ids))
        return []

    known = People(look_up)
    known.find(str(number) for number in range(1, 251))
    assert asked == [100, 100, 50]


# --- Describing ---


def record(type_: str, id_: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "title": type_.capitalize(), "active": True, **more}


def test_fields_are_described_in_the_order_of_the_form() -> None:
    options = [{"name": "High", "value": "impact_high"}, {"name": "Low", "value": "impact_low"}]
    records = [
        record("subject"), record("description"),
        record("status", system_field_options=[{"name": "Open", "value": "open"}]),
        record("priority", system_field_options=[{"name": "High", "value": "high"}, {"name": "Low", "value": "low"}]),
        record("tickettype"), record("assignee"), record("group"), record("custom_status"),
        record("tagger", 11, title="Impact", custom_field_options=options),
        record("multiselect", 12, custom_field_options=options), record("checkbox", 13, tag="urgent"),
        record("integer", 14), record("date", 15), record("text", 16), record("brand_new_kind", 17),
        record("text", 18, active=False), {"odd": 1},
    ]  # fmt: skip
    found = fields.field_specs(records)
    assert tuple(replace(one, steps=(), steps_known=()) for one in found) == (
        FieldSpec("subject", "Subject", FieldKind.TEXT),
        FieldSpec("description", "Description", FieldKind.RICH_TEXT, is_create_only=True),
        FieldSpec(
            "status", "Status", FieldKind.STATUS, ("new", "open", "pending", "hold", "solved", "closed")
        ),
        FieldSpec("priority", "Priority", FieldKind.CHOICE, ("low", "high")),
        FieldSpec("type", "Tickettype", FieldKind.CHOICE, ("question", "incident", "problem", "task")),
        FieldSpec("assignee", "Assignee", FieldKind.PERSON),
        FieldSpec("custom_field_11", "Impact", FieldKind.CHOICE, ("impact_high", "impact_low")),
        FieldSpec("custom_field_12", "Multiselect", FieldKind.LABELS, ("impact_high", "impact_low")),
        FieldSpec("custom_field_13", "Checkbox", FieldKind.TEXT, ("true", "false")),
        FieldSpec("custom_field_14", "Integer", FieldKind.NUMBER),
        FieldSpec("custom_field_15", "Date", FieldKind.DATETIME),
        FieldSpec("custom_field_16", "Text", FieldKind.TEXT),
        FieldSpec("custom_field_17", "Brand_new_kind", FieldKind.TEXT),
        FieldSpec("requester", "Requester", FieldKind.PERSON),
        FieldSpec("tags", "Tags", FieldKind.LABELS),
    )


def test_tags_that_are_the_values_of_fields_are_known() -> None:
    options = [{"name": "High", "value": "impact_high"}]
    known = fields.field_tags(
        [
            record("tagger", 11, custom_field_options=options),
            record("checkbox", 12, tag="urgent"),
            record("text", 13),
        ]
    )
    assert known == FieldTags(
        frozenset({"custom_field_11", "custom_field_12"}), frozenset({"impact_high", "urgent"})
    )
    assert known.labels(["a", "impact_high", "urgent"]) == ["a"]
    assert known.kept(
        {"custom_field_11": "impact_high", "custom_field_12": None, "custom_field_13": "x"}
    ) == {"custom_field_11": "impact_high"}


# --- Writing ---


def test_a_body_names_everything_by_zendesks_names() -> None:
    body = fields.write_body(
        {
            "subject": " Printer\n on  fire ", "description": from_plain("left to the caller").as_value(),
            "status": "OPEN", "priority": None, "type": "incident", "tags": ["Big Deal", "vpn"],
            "assignee": {"id": "7", "name": "Ann", "email": "ann@partner.example"},
            "requester": {"id": "", "name": "Bo", "email": "bo@partner.example"},
            "custom_field_11": "impact_high", "custom_field_12": "", "custom_field_13": from_plain("a\n\nb").as_value(),
        }
    )  # fmt: skip
    assert body == {
        "subject": "Printer on fire", "status": "open", "priority": None, "type": "incident",
        "tags": ["big_deal", "vpn"], "assignee_id": 7,
        "requester": {"name": "Bo", "email": "bo@partner.example"},
        "custom_fields": [
            {"id": 11, "value": "impact_high"}, {"id": 12, "value": None}, {"id": 13, "value": "a\nb"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "body"),
    [
        ("assignee", {"id": "", "name": "Ann", "email": "ann@partner.example"}, {"assignee_email": "ann@partner.example"}),
        ("assignee", None, {"assignee_id": None}),
        ("assignee", "7", {"assignee_id": 7}),
        ("requester", {"id": "8", "name": "", "email": ""}, {"requester_id": 8}),
        ("requester", {"id": "", "name": "", "email": "bo@x.example"}, {"requester": {"name": "bo@x.example", "email": "bo@x.example"}}),
    ],
)  # fmt: skip
def test_people_are_written_by_number_or_by_mail_address(name: str, value: Any, body: dict) -> None:
    assert fields.write_body({name: value}) == body


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("assignee", {"id": "", "name": "Ann", "email": ""}, errors.Invalid),
        ("requester", None, errors.Invalid),
        ("status", None, errors.RequiredField),
        ("no_such_field", "x", errors.Invalid),
        ("custom_field_", "x", errors.Invalid),
        ("custom_field_x", "x", errors.Invalid),
        ("external_id", "x", errors.Invalid),
    ],
)
def test_what_zendesk_cannot_take_is_refused_with_its_name(
    name: str, value: Any, kind: type[errors.Invalid]
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        fields.write_body({name: value})
    assert type(caught.value) is kind
    assert list(caught.value.fields) == [name]


@pytest.mark.parametrize(
    ("name", "value", "settled"),
    [
        ("subject", "  a \n b ", "a b"), ("subject", "", None), ("status", " Open ", "open"), ("priority", "", None),
        ("tags", ["B a", "b_A", " ", "\t"], ["b_a"]), ("tags", None, []), ("tags", "x Y", ["x", "y"]),
        ("custom_field_1", "", None), ("custom_field_1", [], None), ("custom_field_1", 0, 0),
        ("custom_field_1", False, False), ("assignee", {"id": "7"}, {"id": "7"}), ("subject", 5, 5),
    ],
)  # fmt: skip
def test_what_is_settled_is_told_without_a_call(name: str, value: Any, settled: object) -> None:
    assert fields.settled(name, value) == settled
