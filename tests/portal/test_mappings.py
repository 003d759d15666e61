"""The pages about mappings."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.mapping.rules import FieldRule as Rule
from integrations.models import FieldRule, MappingSet, Side
from integrations.services.mappings import add_rule, change_values, delete_rule, draft_rules, rule_of
from portal import wires
from portal.models import AuditEntry, User
from tests.factories import (
    Role,
    globally,
    make_connection,
    make_system,
    make_user,
    mercuri,
    stranger,
)
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

LIST = reverse("mapping_list")


@pytest.fixture
def owner(client: Client) -> User:
    """Signed in: the owner of Mercuri's mappings."""
    user = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri(), first_name="Mira", last_name="Owner")
    client.force_login(user)
    return user


@pytest.fixture
def side(owner: User) -> Side:
    """Mercuri's side of its connection with Global."""
    return make_connection().sides.select_related("system__partner", "connection").get(position="left")


@pytest.fixture
def draft(side: Side) -> MappingSet:
    """The next version of what Mercuri sends."""
    return draft_rules(side, "outgoing")


def published(side: Side, direction: str = "outgoing") -> MappingSet:
    return MappingSet.objects.get(side=side, direction=direction, state="published")


def other_side(side: Side) -> Side:
    return Side.objects.get(connection=side.connection_id, position="right")


def at(name: str, row: Any) -> str:
    return reverse(name, args=[row.pk])


def stored(draft: MappingSet, target: str) -> FieldRule:
    return FieldRule.objects.select_related("value_map").get(mapping_set=draft, target=target)


def targets(draft: MappingSet) -> list[str]:
    return list(FieldRule.objects.filter(mapping_set=draft).values_list("target", flat=True))


def form_of(client: Client, address: str) -> Any:
    return client.get(address).context["form"]


# --- The list ---


def test_people_see_the_rules_of_their_own_sides(client: Client, side: Side) -> None:
    draft = draft_rules(side, "incoming")

    rows = client.get(LIST).context["listing"].page

    assert {(row.side, row.direction, row.draft_pk) for row in rows} == {
        (side, "incoming", draft.pk),
        (side, "outgoing", None),
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 4),
        ({"q": "global jira"}, 4),
        ({"q": "nothing"}, 0),
        ({"direction": "incoming"}, 2),
        ({"partner": "global"}, 2),
    ],
)
def test_the_list_is_narrowed(client: Client, query: dict[str, str], count: int) -> None:
    make_connection()
    client.force_login(make_user(role=Role.SECURITY_OFFICER))
    if "partner" in query:
        query = {"partner": str(globally().pk)}

    assert client.get(LIST, query).context["listing"].total == count


def test_every_rule_that_holds_is_exported(client: Client, side: Side) -> None:
    response = client.get(reverse("mapping_export"), {"direction": "outgoing"})

    rows = b"".join(response.streaming_content).decode("utf-8-sig").split("\r\n")  # type: ignore[attr-defined]
    assert len(rows) == 8
    assert rows[4] == (
        "Mercuri Zendesk – Global Jira,Mercuri Inc,Mercuri Zendesk,What this side sends,1,4,priority,Value map,,"
        "priority,Overwrite,urgent → critical; high → high; normal → medium; low → low"
    )


def test_the_list_takes_as_many_queries_however_long_it_is(
    client: Client, side: Side, django_assert_num_queries: Any
) -> None:
    for _ in range(4):
        make_connection(side.system, make_system(globally(), "jira"))
    client.get(LIST)

    # Session, person, memberships, matrix; partners to choose from; counting, fetching; the person's own partner.
    with django_assert_num_queries(9):
        client.get(LIST)


# --- Reading ---


def test_a_version_is_shown_with_rules_wires_and_checks(client: Client, side: Side) -> None:
    response = client.get(at("mapping_detail", published(side)))

    page = response.content.decode()
    sheet = response.context["sheet"]
    assert [(row.source.label, row.how, row.detail, row.target.label) for row in sheet.rows] == [
        ("Subject", "Copy", "", "Title"),
        ("Description", "Copy", "", "Description"),
        ("Status", "Value map", "6 of 6 values", "Status"),
        ("Priority", "Value map", "4 of 4 values", "Priority"),
        ("Type", "Value map", "4 of 4 values", "Type"),
        ("Tags", "Copy", "", "Labels"),
    ]
    assert page.count('<svg class="wires"') == 3
    # Whoever cannot see the drawing has the table.
    assert "<td>hold</td><td>on hold</td>" in page
    assert "Every value of “priority” has its row" in page
    assert "waits for" not in page


def test_the_rules_are_tried_on_a_real_ticket(client: Client, side: Side) -> None:
    scenes.matter(
        side, other_side(side), left_fields={"subject": "Charged twice", "priority": "odd"}, number=7
    )

    response = client.get(at("mapping_detail", published(side)))
    named = client.get(at("mapping_detail", published(side)), {"ticket": "#8"})

    page = response.content.decode()
    assert "With #7" in page
    assert "waits for a person" in page
    assert "No linked ticket of Mercuri Zendesk has this number." in named.content.decode()


def test_samples_are_for_those_who_may_read_tickets(client: Client, side: Side) -> None:
    scenes.matter(side, other_side(side), left_fields={"subject": "Charged twice"})
    client.force_login(make_user(role=Role.SECURITY_OFFICER))

    response = client.get(at("mapping_detail", published(side)))

    assert response.context["sheet"].trial is None
    assert "Charged twice" not in response.content.decode()


READS = ["mapping_detail"]
DRAFTS = ["mapping_edit", "mapping_rule_add"]
POSTS = ["mapping_publish", "mapping_discard", "mapping_roll_back"]


@pytest.mark.parametrize("name", READS + DRAFTS + POSTS)
def test_the_other_sides_rules_are_not_there(client: Client, side: Side, name: str) -> None:
    theirs = draft_rules(other_side(side), "outgoing")

    method = client.post if name in POSTS else client.get
    assert method(at(name, theirs)).status_code == 404


@pytest.mark.parametrize("name", ["mapping_versions", "mapping_draft"])
def test_nor_are_its_versions(client: Client, side: Side, name: str) -> None:
    theirs = reverse(name, args=[other_side(side).pk, "outgoing"])

    assert (client.post if name == "mapping_draft" else client.get)(theirs).status_code == 404


@pytest.mark.parametrize("name", ["mapping_rule_edit", "mapping_rule_values"])
def test_nor_is_a_single_rule(client: Client, side: Side, name: str) -> None:
    theirs = draft_rules(other_side(side), "outgoing")

    assert client.get(at(name, stored(theirs, "status"))).status_code == 404
    for action in ("mapping_rule_move", "mapping_rule_delete"):
        assert client.post(at(action, stored(theirs, "status"))).status_code == 404


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.INTEGRATOR_STAFF, Role.SECURITY_OFFICER])
def test_whoever_reaches_all_partners_reads_and_changes_nothing(
    client: Client, side: Side, draft: MappingSet, role: str
) -> None:
    client.force_login(make_user(role=role))

    assert client.get(at("mapping_detail", draft)).status_code == 200
    versions = client.get(reverse("mapping_versions", args=[side.pk, "outgoing"])).content.decode()
    assert reverse("mapping_draft", args=[side.pk, "outgoing"]) not in versions
    for name in DRAFTS:
        assert client.get(at(name, draft)).status_code == 403
    for name in POSTS:
        assert client.post(at(name, draft)).status_code == 403


def test_a_steward_drafts_and_does_not_publish(client: Client, draft: MappingSet) -> None:
    client.force_login(make_user(role=Role.MAPPING_STEWARD, partner=mercuri()))

    page = client.get(at("mapping_edit", draft)).content.decode()

    assert "A mapping owner of Mercuri Inc publishes it." in page
    assert client.post(at("mapping_publish", draft)).status_code == 403
    assert client.post(at("mapping_roll_back", draft)).status_code == 403


def test_a_page_takes_few_queries(client: Client, side: Side, django_assert_num_queries: Any) -> None:
    scenes.matter(side, other_side(side), left_fields={"subject": "Charged twice"})
    version = published(side)
    client.get(at("mapping_detail", version))

    # Session, person, memberships, matrix; the version with rules, maps and pairs; the dictionary; the latest tickets; the other
    # direction with rules, maps and pairs; the system's findings; the draft; where it writes; the person's own partner for the top bar.
    with django_assert_num_queries(20):
        client.get(at("mapping_detail", version))


# --- Versions ---


def test_versions_are_listed_compared_and_brought_back(client: Client, side: Side, draft: MappingSet) -> None:
    first = published(side)
    delete_rule(stored(draft, "labels"))
    publish(client, draft)
    address = reverse("mapping_versions", args=[side.pk, "outgoing"])

    listed = client.get(address)
    compared = client.get(reverse("mapping_compare", args=[first.pk, draft.pk]))
    client.post(at("mapping_roll_back", first))

    assert [(one.version, one.state, before) for one, before in listed.context["versions"]] == [
        (2, "published", first.pk),
        (1, "retired", None),
    ]
    assert [(one.name, one.kind) for one in compared.context["differences"]] == [("labels", "removed")]
    assert [(one.version, one.state) for one, _ in client.get(address).context["versions"]] == [
        (3, "published"),
        (2, "retired"),
        (1, "retired"),
    ]
    assert AuditEntry.objects.get(action="brought back").partner == mercuri()


def test_only_versions_of_the_same_rules_are_compared(client: Client, side: Side) -> None:
    addresses = [published(side).pk, published(side, "incoming").pk]

    assert client.get(reverse("mapping_compare", args=addresses)).status_code == 404


@pytest.mark.parametrize("name", ["mapping_versions", "mapping_draft"])
def test_there_are_two_directions(client: Client, side: Side, name: str) -> None:
    address = reverse(name, args=[side.pk, "sideways"])

    assert (client.post if name == "mapping_draft" else client.get)(address).status_code == 404


# --- Drafting ---


def test_a_draft_is_begun_and_gone_on_with(client: Client, side: Side) -> None:
    address = reverse("mapping_draft", args=[side.pk, "outgoing"])

    first, second = client.post(address), client.post(address)

    draft = MappingSet.objects.get(state="draft")
    assert first.url == second.url == at("mapping_edit", draft)  # type: ignore[attr-defined]


def test_what_is_published_has_no_editor(client: Client, side: Side) -> None:
    version = published(side)

    assert client.get(at("mapping_edit", version)).url == at("mapping_detail", version)  # type: ignore[attr-defined]
    assert client.get(at("mapping_rule_add", version)).status_code == 404
    assert client.get(at("mapping_rule_edit", stored(version, "title"))).status_code == 404
    assert client.post(at("mapping_publish", version)).status_code == 404


def test_a_draft_is_thrown_away(client: Client, side: Side, draft: MappingSet) -> None:
    client.post(at("mapping_discard", draft))

    assert [one.state for one in MappingSet.objects.filter(side=side, direction="outgoing")] == ["published"]


def rule_data(**values: str) -> dict[str, str]:
    given = {
        "source": "custom_field_360000000003",
        "transform": "copy",
        "argument": "",
        "target": "requester",
    }
    return {**given, **values}


def test_a_rule_is_added(client: Client, draft: MappingSet) -> None:
    response = client.post(at("mapping_rule_add", draft), rule_data())

    assert response.url == at("mapping_edit", draft)  # type: ignore[attr-defined]
    assert rule_of(stored(draft, "requester")) == Rule("custom_field_360000000003", "requester")


def test_a_value_map_asks_for_its_values_next(client: Client, draft: MappingSet) -> None:
    response = client.post(at("mapping_rule_add", draft), rule_data(transform="value_map", target="impact"))

    rule = stored(draft, "impact")
    assert response.url == at("mapping_rule_values", rule)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"source": ""}, "source", "Choose the field that the value is read from."),
        ({"target": ""}, "target", "This field is required."),
        ({"target": "title"}, "target", "Another rule writes “title” already."),
        ({"transform": "template"}, "argument", "Enter the text."),
        (
            {"transform": "template", "argument": "{subject"},
            "argument",
            "A brace has no partner. A brace that is meant as such is written twice.",
        ),
        (
            {"transform": "template", "argument": "{subjct} {prio}"},
            "argument",
            "There is no field “subjct”, “prio” to fill in.",
        ),
        (
            {"transform": "constant", "argument": "4", "source": ""},
            "source",
            "Choose the field that the constant leaves together with.",
        ),
        ({"transform": "constant"}, "argument", "Enter the text."),
    ],
)
def test_bad_input_gets_a_sentence_at_its_place(
    client: Client, draft: MappingSet, values: dict[str, str], field: str, sentence: str
) -> None:
    before = targets(draft)

    response = client.post(at("mapping_rule_add", draft), rule_data(**values))

    assert response.status_code == 422
    assert response.context["form"].errors == {field: [sentence]}
    assert targets(draft) == before


def test_a_rule_is_changed(client: Client, draft: MappingSet) -> None:
    rule = stored(draft, "title")
    address = at("mapping_rule_edit", rule)
    stamp = form_of(client, address)["stamp"].value()

    client.post(
        address,
        rule_data(
            source="", transform="template", argument="Mercuri: {subject}", target="title", stamp=stamp
        ),
    )

    rule.refresh_from_db()
    assert (rule.source, rule.transform, rule.argument) == ("", "template", "Mercuri: {subject}")


def test_a_rule_changed_meanwhile_is_not_overwritten(client: Client, draft: MappingSet) -> None:
    rule = stored(draft, "title")
    address = at("mapping_rule_edit", rule)
    stamp = form_of(client, address)["stamp"].value()
    FieldRule.objects.filter(pk=rule.pk).update(transform="redact")

    response = client.post(address, rule_data(source="subject", target="title", stamp=stamp))

    assert response.status_code == 422
    assert "How is now “redact”" in str(response.context["form"].non_field_errors())
    rule.refresh_from_db()
    assert rule.transform == "redact"


def test_incoming_rules_say_when_they_write(client: Client, side: Side) -> None:
    draft = draft_rules(side, "incoming")
    address = at("mapping_rule_edit", stored(draft, "tags"))
    form = form_of(client, address)

    client.post(
        address,
        {
            "source": "labels",
            "transform": "copy",
            "argument": "",
            "target": "tags",
            "mode": "append",
            "stamp": form["stamp"].value(),
        },
    )

    assert stored(draft, "tags").mode == "append"


def test_rules_are_moved_and_deleted(client: Client, draft: MappingSet) -> None:
    client.post(at("mapping_rule_move", stored(draft, "title")), {"to": "down"})
    client.post(at("mapping_rule_move", stored(draft, "labels")), {"to": "up"})
    client.post(at("mapping_rule_delete", stored(draft, "type")))

    assert targets(draft) == ["description", "title", "status", "priority", "labels"]


# --- Values ---


def values_posted(client: Client, rule: FieldRule, **values: str) -> Any:
    address = at("mapping_rule_values", rule)
    form = form_of(client, address)
    given = {name: form[name].value() or "" for name in form.fields}
    return client.post(address, {**given, **values})


def test_each_value_there_is_has_its_row(client: Client, draft: MappingSet) -> None:
    form = form_of(client, at("mapping_rule_values", stored(draft, "priority")))

    assert [(label, target.value()) for label, source, target in form.table if source is None] == [
        ("low", "low"),
        ("normal", "medium"),
        ("high", "high"),
        ("urgent", "critical"),
        ("", ""),
    ]
    assert form.fields["to_0"].choices == [
        ("", "waits for a person"),
        *((one, one) for one in ("critical", "high", "medium", "low")),
    ]


def test_values_are_changed_added_and_taken_out(client: Client, draft: MappingSet) -> None:
    rule = stored(draft, "priority")

    response = values_posted(
        client, rule, to_0="medium", to_1="", to_4="low", from_5="blocker", to_5="critical"
    )

    assert response.status_code == 302
    assert rule_of(stored(draft, "priority")).values == {
        "low": "medium",
        "high": "high",
        "urgent": "critical",
        "": "low",
        "blocker": "critical",
    }


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"from_5": "low", "to_5": "low"}, "from_5", "“low” has a row already."),
        ({"from_5": "odd"}, "to_5", "Say what it becomes."),
        ({"to_5": "low"}, "from_5", "Enter the value that becomes this."),
        (
            {"from_5": "odd", "to_5": "low", "from_6": "odd", "to_6": "high"},
            "from_6",
            "“odd” has a row already.",
        ),
    ],
)
def test_a_bad_row_is_told_at_its_place(
    client: Client, draft: MappingSet, values: dict[str, str], field: str, sentence: str
) -> None:
    response = values_posted(client, stored(draft, "priority"), **values)

    assert response.status_code == 422
    assert response.context["form"].errors == {field: [sentence]}


def test_values_changed_meanwhile_are_not_overwritten(client: Client, draft: MappingSet) -> None:
    rule = stored(draft, "priority")
    address = at("mapping_rule_values", rule)
    form = form_of(client, address)
    change_values(stored(draft, "priority"), {"low": "low"})

    response = client.post(address, {name: form[name].value() or "" for name in form.fields})

    assert response.status_code == 422
    assert rule_of(stored(draft, "priority")).values == {"low": "low"}


# --- Comments and files ---


def test_options_are_saved_in_the_draft(client: Client, side: Side, draft: MappingSet) -> None:
    form = client.get(at("mapping_edit", draft)).context["options"]

    client.post(at("mapping_edit", draft), {"shares_internal_comments": "on", "stamp": form["stamp"].value()})

    draft.refresh_from_db()
    holds = published(side)
    assert (draft.shares_public_comments, draft.shares_internal_comments, draft.shares_files) == (
        False,
        True,
        False,
    )
    assert (holds.shares_public_comments, holds.shares_internal_comments) == (True, False)


def test_each_side_says_what_is_told_of_refusals(client: Client, draft: MappingSet, side: Side) -> None:
    incoming = draft_rules(side, "incoming")
    for one, name in ((draft, "tells_reasons"), (incoming, "notes_refusals")):
        form = client.get(at("mapping_edit", one)).context["options"]
        client.post(at("mapping_edit", one), {name: "on", "stamp": form["stamp"].value()})
        one.refresh_from_db()

    assert (draft.tells_reasons, draft.notes_refusals) == (True, False)
    assert (incoming.tells_reasons, incoming.notes_refusals) == (False, True)
    page = client.get(at("mapping_detail", incoming)).content.decode()
    assert "is told by a note on the ticket" in page


@pytest.mark.parametrize("heading", ["{author", "{author} {mail}", "{0}"])
def test_a_heading_names_only_author_and_partner(client: Client, side: Side, heading: str) -> None:
    incoming = draft_rules(side, "incoming")
    form = client.get(at("mapping_edit", incoming)).context["options"]

    response = client.post(
        at("mapping_edit", incoming), {"comment_heading": heading, "stamp": form["stamp"].value()}
    )

    assert response.status_code == 422
    assert response.context["options"].errors == {
        "comment_heading": ["Only {author} and {partner} can be filled in."]
    }


def save_files(client: Client, draft: MappingSet, **entered: str) -> Any:
    form = client.get(at("mapping_edit", draft)).context["options"]
    return client.post(at("mapping_edit", draft), {"stamp": form["stamp"].value(), **entered})


def test_which_files_leave_is_saved_in_the_draft_as_it_is_written(
    client: Client, side: Side, draft: MappingSet
) -> None:
    save_files(
        client, draft, shares_files="on", file_max_bytes="1.5", files_only="PDF, *.png", files_never="image/*"
    )

    draft.refresh_from_db()
    assert (draft.file_max_bytes, draft.files_only, draft.files_never) == (
        1536 * 1024,
        [".pdf", ".png"],
        ["image/*"],
    )
    assert (published(side).file_max_bytes, published(side).files_only) == (0, [])
    form = client.get(at("mapping_edit", draft)).context["options"]
    assert [form[name].value() for name in ("file_max_bytes", "files_only", "files_never")] == [
        "1.5",
        ".pdf, .png",
        "image/*",
    ]
    page = client.get(at("mapping_detail", draft)).content.decode()
    assert "1.5\xa0MB" in page
    assert ".pdf, .png" in page


@pytest.mark.parametrize(
    ("entered", "errors"),
    [
        (
            {"files_only": "pdf, tar.gz ../x"},
            {
                "files_only": [
                    "“tar.gz”, “../x”: neither an ending nor a type. Write .pdf, application/pdf or image/*."
                ]
            },
        ),
        (
            {"files_only": ".pdf, .exe", "files_never": "EXE"},
            {"files_only": ["“.exe” is on the list of files that never pass as well."]},
        ),
        (
            {"file_max_bytes": "-1"},
            {"file_max_bytes": ["Ensure this value is greater than or equal to 0.01."]},
        ),
        (
            {"file_max_bytes": "9999"},
            {"file_max_bytes": ["Ensure this value is less than or equal to 2048."]},
        ),
        ({"file_max_bytes": "big"}, {"file_max_bytes": ["Enter a number."]}),
    ],
)
def test_what_is_wrong_about_files_is_said_at_its_place_and_what_was_typed_stays(
    client: Client, draft: MappingSet, entered: dict[str, str], errors: dict[str, list[str]]
) -> None:
    response = save_files(client, draft, **entered)

    assert response.status_code == 422
    form = response.context["options"]
    assert form.errors == errors
    assert {name: form[name].value() for name in entered} == entered
    draft.refresh_from_db()
    assert (draft.file_max_bytes, draft.files_only, draft.files_never) == (0, [], [])


def test_a_new_connection_lets_no_programs_in_and_says_what_the_system_takes(
    client: Client, side: Side
) -> None:
    incoming = draft_rules(side, "incoming")
    form = client.get(at("mapping_edit", incoming)).context["options"]

    assert ".exe" in form["files_never"].value()
    assert form["file_max_bytes"].help_text.endswith("50 MB.")
    assert draft_rules(side, "outgoing").files_never == []


def test_a_limit_above_what_the_system_takes_and_programs_let_in_are_among_the_checks(
    client: Client, side: Side
) -> None:
    incoming = draft_rules(side, "incoming")
    save_files(client, incoming, file_max_bytes="100")

    findings = client.get(at("mapping_edit", incoming)).context["sheet"].findings
    assert [one.message for one in findings if "let in" in one.message] == [
        "Files up to 100 MB are let in, and the system takes 50 MB: a note goes in the place of a larger one.",
        "Programs and scripts are let in: .bat, .cmd, .com, .cpl, .exe, .hta, .jar, .js and 14 more.",
    ]


def test_a_policy_that_lets_nothing_pass_is_not_published(client: Client, draft: MappingSet) -> None:
    save_files(client, draft, shares_files="on", files_only=".png", files_never="image/*")

    page = client.get(at("mapping_edit", draft))
    assert page.context["sheet"].blocks
    assert "No file can pass" in page.content.decode()


def test_a_version_keeps_what_the_one_before_it_said_of_files(side: Side) -> None:
    holds = published(side)
    MappingSet.objects.filter(pk=holds.pk).update(file_max_bytes=5, files_only=[".pdf"], files_never=[".exe"])

    draft = draft_rules(side, "outgoing")

    assert (draft.file_max_bytes, draft.files_only, draft.files_never) == (5, [".pdf"], [".exe"])


# --- Publishing ---


def publish(client: Client, draft: MappingSet, note: str = "") -> Any:
    form = client.get(at("mapping_edit", draft)).context["publish"]
    return client.post(at("mapping_publish", draft), {"note": note, "stamp": form["stamp"].value()})


def test_a_draft_is_published_with_what_it_changes(
    client: Client, side: Side, draft: MappingSet, owner: User
) -> None:
    add_rule(draft, Rule("custom_field_360000000003", "requester"))

    page = client.get(at("mapping_edit", draft)).content.decode()
    response = publish(client, draft, "Reference too")

    holds = published(side)
    assert "<strong>More leaves than before:</strong> requester." in page
    assert response.url == at("mapping_detail", holds)
    assert (holds, holds.published_by, holds.note) == (draft, owner, "Reference too")
    entry = AuditEntry.objects.get(action="published")
    assert entry.partner == mercuri()
    assert entry.changes == {"requester": "Rule: – → Copy of custom_field_360000000003"}


def test_what_is_published_is_what_was_looked_at(client: Client, draft: MappingSet) -> None:
    form = client.get(at("mapping_edit", draft)).context["publish"]
    add_rule(draft, Rule("custom_field_360000000003", "requester"))

    response = client.post(at("mapping_publish", draft), {"stamp": form["stamp"].value()}, follow=True)

    draft.refresh_from_db()
    assert draft.state == "draft"
    assert "The draft was changed while you looked at it." in response.content.decode()


def test_a_check_that_blocks_takes_the_button_away(client: Client, draft: MappingSet) -> None:
    change_values(stored(draft, "status"), {"new": "brand new"})

    page = client.get(at("mapping_edit", draft)).content.decode()
    response = publish_anyway(client, draft)

    assert "A check blocks it: mend that first." in page
    assert "“status” does not know “brand new”." in response.content.decode()
    draft.refresh_from_db()
    assert draft.state == "draft"


def publish_anyway(client: Client, draft: MappingSet) -> Any:
    form = client.get(at("mapping_edit", draft)).context["publish"]
    return client.post(at("mapping_publish", draft), {"stamp": form["stamp"].value()}, follow=True)


def test_a_system_that_was_never_asked_takes_typed_fields(client: Client, owner: User) -> None:
    system = make_system(mercuri(), is_tested=False)
    connection = make_connection(system, make_system(stranger(), "jira"))
    draft = draft_rules(connection.sides.get(position="left"), "outgoing")

    form = form_of(client, at("mapping_rule_add", draft))
    client.post(at("mapping_rule_add", draft), rule_data(source="brand_new_field"))

    assert not hasattr(form.fields["source"], "choices")
    assert stored(draft, "requester").source == "brand_new_field"


# --- The drawing ---


def test_a_value_map_is_drawn() -> None:
    drawing = wires.draw({"a": "x", "b": "x", "": "y"}, ["a", "b", "c"], ["x", "y", "z"])

    assert [(knot.full, knot.y, knot.is_loose) for knot in drawing.sources] == [
        ("a", 26, False),
        ("b", 66, False),
        ("c", 106, True),
        ("(empty)", 146, False),
    ]
    assert [(knot.full, knot.y, knot.is_loose) for knot in drawing.targets] == [
        ("x", 26, False),
        ("y", 66, False),
        ("z", 106, True),
    ]
    assert [wire.words for wire in drawing.wires] == ["a → x", "b → x", "(empty) → y"]
    assert [wire.path for wire in drawing.wires][:2] == [
        "M112 26H248",
        "M112 66C180 66 180 26 248 26",
    ]
    assert (drawing.width, drawing.height) == (360, 172)


def test_a_long_value_is_cut_in_the_drawing_only() -> None:
    (knot,) = wires.draw({}, ["Waiting for the customer"], []).sources

    assert (knot.label, knot.full) == ("Waiting for the …", "Waiting for the customer")
