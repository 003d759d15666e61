"""Names, values and texts of fields, both ways, and what errors say of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.canonical import Person, Value
from integrations.connectors import errors
from integrations.connectors.azure_devops import faults, fields, files, queries, texts, times
from integrations.connectors.azure_devops.identities import People, person_of
from integrations.connectors.azure_devops.process import REPRO_STEPS, Process, TicketType, read_types
from integrations.richtext import cutting
from integrations.richtext.blocks import Document, File, Mention, Paragraph, Run, from_plain, from_value

BUG = TicketType("Bug", fields=frozenset((REPRO_STEPS,)))
TASK = TicketType("Task")
PROCESS = Process(
    {"Bug": BUG, "Task": TASK},
    {
        "Custom.Notes": "html", "Custom.Due": "dateTime", "Custom.Owner": "identity", "Custom.Count": "integer",
        "Custom.Ready": "boolean", "Custom.Size": "double", "Custom.Line": "string", "Custom.Level": "picklistString",
    },
)  # fmt: skip


# --- Names ---


@pytest.mark.parametrize(
    ("reference", "ticket_type", "name"),
    [
        ("System.Title", BUG, "title"),
        (REPRO_STEPS, BUG, "description"),
        ("System.Description", BUG, "System.Description"),
        ("System.Description", TASK, "description"),
        (REPRO_STEPS, TASK, REPRO_STEPS),
        ("Custom.Impact", TASK, "Custom.Impact"),
        ("Microsoft.VSTS.Common.Severity", BUG, "severity"),
        ("Microsoft.VSTS.Common.ResolvedReason", BUG, "Microsoft.VSTS.Common.ResolvedReason"),
        ("Microsoft.VSTS.Common.ResolvedBy", BUG, ""),
        ("Microsoft.VSTS.Common.StackRank", BUG, ""),
        ("System.Watermark", BUG, ""),
        ("WEF_EB32_Kanban.Column", BUG, ""),
        ("", BUG, ""),
    ],
)
def test_a_field_has_one_name_of_ours(reference: str, ticket_type: TicketType, name: str) -> None:
    assert fields.our_name(reference, ticket_type) == name
    if name:
        assert fields.reference_of(name, ticket_type) == reference


@pytest.mark.parametrize(
    "name",
    ["no_such_field", "System.Watermark", "System.Title", "Custom.A/../B", "Custom. B", "", "x" * 300 + ".y"],
)
def test_what_cannot_be_a_field_of_ours_is_never_written(name: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        fields.reference_of(name, BUG)
    assert set(caught.value.fields) == {name}


# --- Values ---


ANN = {"id": "A1", "displayName": "Ann Lee", "uniqueName": "ann@example.com"}


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("priority", 2, "2"),
        ("priority", 2.0, "2"),
        ("title", "VPN", "VPN"),
        ("title", "", None),
        ("tags", "b; a;; concord:m ", ["a", "b"]),
        ("tags", None, []),
        ("tags", [{"name": "b"}, "a"], ["a", "b"]),
        ("assignee", ANN, {"id": "a1", "name": "Ann Lee", "email": "ann@example.com"}),
        ("assignee", "COMPANY\\ann", {"id": "COMPANY\\ann", "name": "COMPANY\\ann", "email": ""}),
        ("Custom.Notes", "<p>a</p>", from_plain("a").as_value()),
        ("Custom.Notes", "plain < text", from_plain("plain < text").as_value()),
        ("Custom.Notes", "<div><br></div>", None),
        ("Custom.Due", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000Z"),
        ("Custom.Due", "9999-01-01T00:00:00Z", None),
        ("Custom.Ready", True, "true"),
        ("Custom.Ready", False, "false"),
        ("Custom.Count", 3, 3),
        ("Custom.Size", 1.5, 1.5),
        ("Custom.Unheard", {"displayName": "Bo"}, {"id": "Bo", "name": "Bo", "email": ""}),
        ("Custom.Unheard", {"x": 1}, None),
        ("Custom.Unheard", [1], None),
    ],
)
def test_a_value_is_read_in_our_form(name: str, raw: object, value: Value) -> None:
    assert fields.Reader(PROCESS, People()).value(name, raw) == value


@pytest.mark.parametrize(
    ("name", "value", "sent", "settled"),
    [
        ("title", " The  printer\nburns ", "The printer burns", "The printer burns"),
        ("priority", "1", 1, "1"),
        ("priority", None, "", None),
        ("tags", ["b", "A", "a", "x;y, z", "", "concord:m"], "A; b; x y z", ["A", "b", "x y z"]),
        ("tags", None, "", []),
        ("assignee", None, "", None),
        ("assignee", {"id": "", "name": "", "email": "bo@example.com"}, "bo@example.com",
         {"id": "", "name": "", "email": "bo@example.com"}),
        ("Custom.Count", "12", 12, 12),
        ("Custom.Size", "1.5", 1.5, 1.5),
        ("Custom.Size", "-2", -2, -2),
        ("Custom.Size", "many", "many", "many"),
        ("Custom.Ready", "true", True, "true"),
        ("Custom.Ready", "false", False, "false"),
        ("Custom.Line", from_plain("a\n\nb").as_value(), "a\nb", "a\nb"),
        ("Custom.Notes", from_plain("a").as_value(), "<p>a</p>", from_plain("a").as_value()),
        ("Custom.Notes", None, "", None),
        ("Custom.Due", "2026-03-01T02:00:00+02:00", "2026-03-01T02:00:00+02:00", "2026-03-01T00:00:00.000Z"),
    ],
)  # fmt: skip
def test_a_value_is_written_and_settles(name: str, value: Value, sent: object, settled: Value) -> None:
    people = People()
    assert fields.written(name, value, PROCESS, people) == sent
    once = fields.settled(name, value, PROCESS, people)
    assert once == settled
    assert fields.settled(name, once, PROCESS, people) == once


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("priority", "high", errors.Invalid),
        ("priority", True, errors.Invalid),
        ("Custom.Count", "1.5", errors.Invalid),
        ("title", None, errors.RequiredField),
        ("title", "", errors.RequiredField),
        ("assignee", {"id": "7", "name": "Bo", "email": ""}, errors.Invalid),
    ],
)
def test_a_value_that_cannot_be_written_is_refused_with_its_field(
    name: str, value: Value, error: type[errors.Invalid]
) -> None:
    with pytest.raises(error) as caught:
        fields.written(name, value, PROCESS, People())
    assert set(caught.value.fields) == {name}


def test_a_text_over_the_limit_is_written_with_a_mark_and_known_again() -> None:
    long = from_plain("\n\n".join("x" * 99 for _ in range(10_000))).as_value()
    written = fields.written("Custom.Notes", long, PROCESS, People())
    assert isinstance(written, str)
    assert 980_000 < len(written) <= 1_000_000
    assert written.endswith(f"<p>{cutting.MARK}</p>")
    assert texts.read(written).as_value() == fields.settled("Custom.Notes", long, PROCESS, People())
    line = fields.written("title", "word " * 100, PROCESS, People())
    assert line == fields.settled("title", "word " * 100, PROCESS, People()) == "word " * 48 + "word… [cut]"


def test_before_the_process_is_known_a_text_keeps_its_markup() -> None:
    value = Document((Paragraph((Run("hot", ("bold",)),)),)).as_value()
    assert fields.settled("Custom.Notes", value, Process(), People()) == value


def test_somebody_who_was_met_is_written_and_settled_by_what_the_system_knows() -> None:
    people = People()
    people.met({"id": "B2", "displayName": "Bo", "uniqueName": "COMPANY\\bo"})
    assert people.written("assignee", {"id": "b2", "name": "Bo", "email": ""}) == "COMPANY\\bo"
    assert people.settled({"id": "B2"}) == {"id": "b2", "name": "Bo", "email": ""}
    people.met(ANN)
    assert (
        people.settled({"id": "99", "email": "ANN@example.com"})
        == Person("a1", "Ann Lee", "ann@example.com").as_value()
    )


@pytest.mark.parametrize("identity", [None, "", "  ", 5, [], {}, {"id": 7}, {"displayName": None}])
def test_nobody_is_nobody(identity: object) -> None:
    assert person_of(identity) is None
    assert People().met(identity) == Person("")


# --- Times ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.1Z", datetime(2026, 3, 1, 10, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-03-01T10:00:00.1234567Z", datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 12:30:00.5+02:30", datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T12:00:00+0200", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("9999-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-13-01T00:00:00Z", None),
        ("10/24/2018 9:25:27 AM", None),
        ("", None),
        (5, None),
    ],
)
def test_a_time_is_read_whatever_its_digits_and_zone(text: object, expected: datetime | None) -> None:
    assert times.time_of(text) == expected


# --- Texts ---


def test_a_comment_carries_its_marker_where_nobody_sees_it() -> None:
    text = texts.comment(from_plain("Hi").as_value(), "https://x.example/p/_workitems/edit/7", "m & <1>")
    assert texts.marker_in(text) == "m & <1>"
    assert texts.read(text) == from_plain("Hi")
    assert texts.marker_in("<p>#concord=m</p>") == ""


def test_a_mention_leaves_as_words_and_a_file_by_its_name() -> None:
    document = Document((Paragraph((Mention("Ann Lee", "7"),)), File("a.png")))
    assert texts.written(document.as_value()) == "<p>@Ann Lee</p><p>\N{PAPERCLIP} a.png</p>"


@pytest.mark.parametrize(
    "piece", ["<a ", "<a href=#concord=", "<a data-vss-mention ", "<", "&", "<a #concord=x>", "#concord=x "]
)
def test_a_broken_text_costs_no_more_than_its_length(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    texts.marker_in(text)
    texts.read(text[:60_000])


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    document = texts.read(text)
    value = document.as_value()
    assert texts.settled(texts.settled(value)) == texts.settled(value)
    texts.marker_in(text)
    assert from_value(texts.settled_comment(value)).plain()


# --- Files and queries ---


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"rel": "AttachedFile"},
        {"rel": "AttachedFile", "url": 5},
        {"rel": "AttachedFile", "url": "https://evil.example/attachments/not-an-id"},
        {"rel": "Hyperlink", "url": "https://x/attachments/0ae2a5b1-0000-4000-8000-00000000000f"},
    ],
)
def test_a_link_to_something_else_is_no_file(link: dict) -> None:
    assert files.attachment(link) is None


def test_a_quote_cannot_leave_its_query() -> None:
    assert "CONTAINS 'concord:a''b OR [System.Id] > 0'" in queries.tagged("concord:a'b OR [System.Id] > 0")


# --- States ---

STATES = {"New": "Proposed", "Active": "InProgress", "Resolved": "Resolved", "Closed": "Completed"}


def item_type(**steps: tuple[str, ...]) -> TicketType:
    return TicketType("Bug", STATES, steps)


@pytest.mark.parametrize(
    ("present", "wanted", "way"),
    [
        ("New", "Active", ("Active",)),
        ("New", "new", ()),
        ("new", "ACTIVE", ("Active",)),
        ("New", "Closed", ("Active", "Resolved", "Closed")),
        # Not over “Closed”, although that would be shorter.
        ("Resolved", "New", ("Active", "New")),
        (None, "Closed", ("Closed",)),
        ("Unheard of", "Active", ("Active",)),
    ],
)
def test_the_shortest_way_that_does_not_end_the_work_is_taken(
    present: object, wanted: str, way: tuple[str, ...]
) -> None:
    steps = {
        "New": ("Active",), "Active": ("New", "Resolved"), "Resolved": ("Closed", "Active"), "Closed": ("New",)
    }  # fmt: skip
    assert item_type(**steps).way(present, wanted) == way


@pytest.mark.parametrize(
    ("present", "wanted", "words"),
    [
        ("New", "Done", "has no state “Done”"),
        ("New", "Closed", "From there it goes to: “Active”"),
        ("Closed", "New", "nowhere"),
    ],
)
def test_a_state_without_a_way_is_told_with_those_that_have_one(
    present: str, wanted: str, words: str
) -> None:
    steps: dict[str, tuple[str, ...]] = {"New": ("Active",), "Active": (), "Closed": ()}
    with pytest.raises(errors.NoTransition) as caught:
        item_type(**steps).way(present, wanted)
    assert words in caught.value.message


def test_what_a_process_does_not_tell_is_left_to_the_system() -> None:
    assert TicketType("Bug").way("New", "Whatever") == ("Whatever",)
    assert item_type().way("New", "Closed") == ("Closed",)


def test_only_the_categories_of_the_end_count_as_over() -> None:
    assert [one for one in STATES if item_type().is_over(one)] == ["Closed"]
    assert not item_type().is_over(None)


@pytest.mark.parametrize(
    "record", [{}, {"name": 5}, {"name": "Bug", "states": "x", "transitions": [], "fields": {}}]
)
def test_a_type_of_an_odd_shape_is_read_as_far_as_it_goes(record: dict) -> None:
    assert set(read_types([record])) <= {"Bug"}


# --- Errors ---


def wrapped(key: str, message: str = "", status: int = 400, code: int = 0, **rules: tuple[str, str]) -> Any:
    broken = [
        {"fieldReferenceName": name.replace("__", "."), "fieldStatusFlags": flags, "errorMessage": words}
        for name, (flags, words) in rules.items()
    ]
    body = {
        "$id": "1", "message": message, "typeKey": key, "errorCode": code,
        "customProperties": {"RuleValidationErrors": broken} if broken else None,
    }  # fmt: skip
    return faults.read_error(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("error", "kind", "named"),
    [
        (wrapped("RuleValidationException", System__Title=("required, invalidEmpty", "TF401320")), errors.RequiredField, {"title"}),
        (wrapped("RuleValidationException", System__State=("invalidListValue", "x")), errors.NoTransition, {"status"}),
        (wrapped("RuleValidationException", System__Title=("invalidTooLong", "x")), errors.TooLarge, {"title"}),
        (wrapped("RuleValidationException", System__State=("invalidListValue", "x"), Custom__A=("invalidEmpty", "y")),
         errors.Invalid, {"status", "Custom.A"}),
        (wrapped("RuleValidationException", Microsoft__VSTS__TCM__ReproSteps=("required, invalidEmpty", "x")),
         errors.RequiredField, {"description"}),
        (wrapped("WorkItemFieldInvalidTreeNameException", "TF401347: Invalid tree name, field 'System.AreaPath'."),
         errors.Invalid, {"area"}),
        (wrapped("WorkItemAttachmentExceedsMaxSizeException", "TF237082"), errors.TooLarge, set()),
        (wrapped("WorkItemTagLimitExceededException"), errors.TooLarge, set()),
        (wrapped("WorkItemTrackingFieldDefinitionNotFoundException", "TF51535: Cannot find field X."), errors.Invalid, set()),
    ],
)  # fmt: skip
def test_a_broken_rule_is_told_by_field_and_meaning(error: Any, kind: type, named: set[str]) -> None:
    assert isinstance(error, errors.Invalid)
    assert type(error) is kind
    assert set(error.fields) == named
    assert error.message.endswith(".")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (wrapped("WorkItemRevisionMismatchException", "TF26071", 400, 600122), errors.Stale),
        (wrapped("VssServiceException", "TF26071", 409, 600122), errors.Stale),
        (wrapped("TestPatchOperationFailedException", "VS403351", 412), errors.Stale),
        (wrapped("WorkItemUnauthorizedAccessException", "TF401232", 404), faults.NotSeen),
        (wrapped("ProjectDoesNotExistWithNameException", "TF200016", 404), errors.Forbidden),
        (wrapped("AttachmentNotFoundException", "", 404), errors.Gone),
        (wrapped("SomethingElse", "", 404), errors.Refused),
        (wrapped("PermissionDeniedException", "Access Denied", 403), errors.Forbidden),
        (wrapped("RequestBlockedException", "TF400733", 429), errors.RateLimited),
        (wrapped("VssServiceException", "x", 500), type(None)),
    ],
)
def test_an_error_is_told_by_what_happens_next(error: Any, kind: type) -> None:
    assert type(error) is kind


def test_the_other_form_of_an_error_is_read_too() -> None:
    error = faults.read_error(
        400, {}, b'{"count": 1, "value": {"Message": "Remove requires Value to be null."}}'
    )
    assert type(error) is errors.Invalid
    assert "Remove requires" in error.detail


def test_a_limit_is_told_with_the_time_to_wait() -> None:
    body = b'{"message": "TF400733", "typeKey": "RequestBlockedException"}'
    error = faults.read_error(429, {"Retry-After": "17"}, body)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == 17


@given(st.integers(200, 599), st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from("message typeKey errorCode customProperties RuleValidationErrors fieldReferenceName value Message".split()),
        inner, max_size=5),
    max_leaves=12).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_body_breaks_the_reading_of_an_error(status: int, body: bytes) -> None:
    error = faults.read_error(status, {}, body)
    assert error is None or error.message
