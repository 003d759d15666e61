"""Field values in both directions, what Jira makes of them, and what its fields take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.canonical import FieldKind, FieldSpec
from integrations.connectors import errors
from integrations.connectors.jira.catalogue import specs
from integrations.connectors.jira.fields import (
    UNREADABLE,
    clean_labels,
    clean_summary,
    instant,
    jira_value,
    neutral,
    neutral_fields,
    settled,
    shapes,
)
from integrations.richtext import cutting
from tests.integrations.connectors.jira.answers import ANN, adf, rich


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, None),
        ("", None),
        ("words", "words"),
        (5, 5),
        (1.5, 1.5),
        (True, True),
        ("2026-03-01T11:00:00.000+0100", "2026-03-01T10:00:00+00:00"),
        ("2026-03-01", "2026-03-01"),
        ({"id": "1", "name": "High"}, "High"),
        ({"id": "1", "value": "High"}, "High"),
        ({"id": "1", "value": "Net", "child": {"id": "2", "value": "Core"}}, "Net - Core"),
        ([{"value": "b"}, {"value": "a"}], ["a", "b"]),
        (["b", "a"], ["a", "b"]),
        ([], []),
        (ANN, {"id": "acc:ann", "name": "Ann Lee", "email": "ann@example.com"}),
        ([ANN], ["Ann Lee"]),
        (adf("words"), rich("words")),
        ({"type": "doc", "version": 1, "content": []}, None),
        ({"progress": 0, "total": 0}, UNREADABLE),
        ([{"progress": 0}], UNREADABLE),
    ],
)
def test_a_value_is_read_by_its_shape(raw: object, expected: object) -> None:
    assert neutral("customfield_1", raw) == expected


def test_only_what_is_exchanged_is_read() -> None:
    raw = {
        "summary": "x",
        "customfield_1": None,
        "customfield_2": [],
        "customfield_3": "y",
        "watches": 3,
        "votes": {},
        "status": None,
    }
    assert neutral_fields(raw) == {"summary": "x", "customfield_3": "y", "status": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Link\r\n down\t now", "Link down now"),
        ("x" * 300, "x" * 248 + cutting.LINE_MARK),
        ("x" * 200 + " " + "y" * 60, "x" * 200 + cutting.LINE_MARK),
        (rich("from text"), "from text"),
        (None, ""),
        ("null\x00byte", "nullbyte"),
    ],
)
def test_a_summary_is_one_line_of_255_characters(value: object, expected: str) -> None:
    assert clean_summary(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["b c", "a", "a", " "], ["a", "b_c"]),
        ("b a", ["a", "b"]),
        (None, []),
        ([1, "x"], ["1", "x"]),
    ],
)
def test_labels_have_no_blanks_and_an_order(value: object, expected: list[str]) -> None:
    assert clean_labels(value) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("description", rich("a"), adf("a")),
        ("description", "a", adf("a")),
        ("description", {"rich": []}, None),
        ("description", None, None),
        ("priority", "High", {"name": "High"}),
        ("resolution", None, None),
        ("components", ["Core"], [{"name": "Core"}]),
        ("components", None, []),
        ("duedate", "2026-03-01", "2026-03-01"),
        ("duedate", "", None),
        ("assignee", None, None),
        ("assignee", "acc:ann", {"accountId": "acc:ann"}),
    ],
)
def test_a_value_is_written_as_the_field_wants_it(name: str, value: object, expected: object) -> None:
    assert jira_value(name, value) == expected  # type: ignore[arg-type]


def test_a_person_without_an_account_is_refused() -> None:
    with pytest.raises(errors.Invalid) as caught:
        jira_value("reporter", {"id": "", "name": "Ann", "email": ""})
    assert caught.value.fields == {"reporter": "unknown person"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("summary", "a\nb", "a b"),
        ("labels", ["b", "a b"], ["a_b", "b"]),
        ("description", "a\n\nb", {"rich": [{"p": [{"t": "a"}]}, {"p": [{"t": "b"}]}]}),
        ("description", {"rich": [{"file": "a.png"}]}, rich("[a.png]")),
        ("description", {"rich": []}, None),
        ("customfield_1", rich("a"), rich("a")),
        ("customfield_1", "", None),
        ("customfield_1", "a\r\nb", "a\nb"),
        ("customfield_1", "2026-03-01T11:00:00.000+0100", "2026-03-01T10:00:00+00:00"),
        ("customfield_1", ["b", "a"], ["a", "b"]),
        ("customfield_1", 5, 5),
        ("priority", "High", "High"),
        ("assignee", None, None),
    ],
)
def test_what_jira_holds_after_a_write_is_foretold(name: str, value: object, expected: object) -> None:
    assert settled(name, value) == expected  # type: ignore[arg-type]


@given(
    st.sampled_from(["summary", "labels", "description", "customfield_1", "priority", "components"]),
    st.text(max_size=300) | st.lists(st.text(max_size=5), max_size=4) | st.none(),
)
def test_what_has_settled_stays_as_it_is(name: str, value: object) -> None:
    once = settled(name, value)  # type: ignore[arg-type]
    assert settled(name, once) == once


@pytest.mark.parametrize("raw", ["", "soon", None, 5, {}])
def test_a_time_that_is_none_is_garbled(raw: object) -> None:
    with pytest.raises(errors.Garbled):
        instant(raw)


TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
METADATA = [
    {
        "fieldId": "summary",
        "name": "Summary",
        "required": True,
        "hasDefaultValue": False,
        "schema": {"type": "string"},
        "operations": ["set"],
    },
    {"fieldId": "description", "name": "Description", "schema": {"type": "string"}, "operations": ["set"]},
    {
        "fieldId": "priority",
        "name": "Priority",
        "required": True,
        "hasDefaultValue": True,
        "schema": {"type": "priority"},
        "allowedValues": [{"id": "1", "name": "High"}, {"id": "2", "name": "Low"}],
        "operations": ["set"],
    },
    {
        "key": "labels",
        "name": "Labels",
        "schema": {"type": "array", "items": "string"},
        "operations": ["add"],
    },
    {"fieldId": "assignee", "name": "Assignee", "schema": {"type": "user"}},
    {"fieldId": "duedate", "name": "Due date", "schema": {"type": "date"}},
    {
        "fieldId": "customfield_1",
        "name": "Place",
        "schema": {"type": "option-with-child", "custom": TYPES + "cascadingselect"},
        "allowedValues": [{"value": "Net", "children": [{"value": "Core"}]}, {"value": "Lab"}],
    },
    {"fieldId": "customfield_2", "name": "Line", "schema": {"type": "string", "custom": TYPES + "textfield"}},
    {"fieldId": "customfield_3", "name": "Text", "schema": {"type": "string", "custom": TYPES + "textarea"}},
    {"fieldId": "customfield_4", "name": "Count", "schema": {"type": "number"}},
    {"fieldId": "customfield_5", "name": "Sprint", "schema": {"type": "array", "items": "json"}},
    {"fieldId": "project", "name": "Project", "schema": {"type": "project"}},
    {"fieldId": "attachment", "name": "Attachment", "schema": {"type": "array", "items": "attachment"}},
    {"fieldId": "broken", "name": "Broken", "schema": None},
    {"name": "nameless"},
]


def test_fields_are_told_with_their_kind_values_and_limits() -> None:
    places = ("Net", "Net - Core", "Lab")
    assert list(specs(METADATA)) == [
        FieldSpec("summary", "Summary", FieldKind.TEXT, max_length=255, is_required=True),
        FieldSpec("description", "Description", FieldKind.RICH_TEXT, max_length=32_767),
        FieldSpec("priority", "Priority", FieldKind.CHOICE, values=("High", "Low")),
        FieldSpec("labels", "Labels", FieldKind.LABELS, is_writable=False),
        FieldSpec("assignee", "Assignee", FieldKind.PERSON),
        FieldSpec("duedate", "Due date", FieldKind.DATETIME),
        FieldSpec("customfield_1", "Place", FieldKind.CHOICE, values=places),
        FieldSpec("customfield_2", "Line", FieldKind.TEXT, max_length=255),
        FieldSpec("customfield_3", "Text", FieldKind.RICH_TEXT, max_length=32_767),
        FieldSpec("customfield_4", "Count", FieldKind.NUMBER),
    ]
    assert shapes(METADATA)["customfield_5"].items == "json"
