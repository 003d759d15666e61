"""The rules that ship: each vendor fits to the data dictionary, and any two of them to each other."""

from __future__ import annotations

import itertools

import pytest

from integrations.canonical import Value
from integrations.connectors import registry
from integrations.mapping import templates
from integrations.mapping.checks import FieldFacts, check_set, lost_values, restless_values
from integrations.mapping.plan import receive, release
from integrations.mapping.rules import FieldRule, Grade, RuleSet, Transform
from tests.integrations.connectors.bench import bench

KINDS = sorted(templates.VENDORS)
PAIRS = list(itertools.product(KINDS, KINDS))
DICTIONARY = {one.name: one for one in templates.DICTIONARY}


def rule_set(rules: tuple[FieldRule, ...]) -> RuleSet:
    return RuleSet(id=1, version=1, rules=rules)


def travelled(
    sender: str, receiver: str, fields: dict[str, Value], *, is_new: bool = True
) -> dict[str, Value]:
    """What the receiver writes for fields of the sender."""
    released = release(rule_set(templates.outgoing_rules(sender, {})), fields)
    assert released.problem is None, released.problem
    received = receive(
        rule_set(templates.incoming_rules(receiver, {})), released.fields, current={}, is_new=is_new
    )
    assert received.problem is None, received.problem
    return received.fields


def values_of(rules: tuple[FieldRule, ...], own: str, *, is_outgoing: bool) -> dict[str, str]:
    rule = next((one for one in rules if (one.source if is_outgoing else one.target) == own), None)
    return dict(rule.values) if rule else {}


def test_every_vendor_has_a_template() -> None:
    assert sorted(registry.CONNECTORS) == KINDS


def test_a_zendesk_ticket_becomes_a_jira_issue() -> None:
    description = {"rich": [{"type": "paragraph", "inlines": []}]}
    ticket: dict[str, Value] = {
        "subject": "Orders are charged twice",
        "description": description,
        "status": "new",
        "priority": "urgent",
        "type": "incident",
        "tags": ["checkout"],
        "requester": {"id": "7", "name": "Ann", "email": "ann@example.com"},
        "custom_field_42": "secret",
    }

    assert travelled("zendesk", "jira", ticket) == {
        "summary": "Orders are charged twice",
        "description": description,
        "status": "To Do",
        "priority": "Highest",
        "labels": ["checkout"],
    }


def test_a_jira_issue_becomes_a_zendesk_ticket() -> None:
    issue: dict[str, Value] = {
        "summary": "Payment page is slow",
        "description": None,
        "status": "In Review",
        "priority": "Lowest",
        "issuetype": "Bug",
        "labels": [],
        "assignee": {"id": "5", "name": "Raj", "email": ""},
    }

    assert travelled("jira", "zendesk", issue) == {
        "subject": "Payment page is slow",
        "description": None,
        "status": "open",
        "priority": "low",
        "type": "incident",
        "tags": [],
    }


@pytest.mark.parametrize(
    ("zendesk", "jira"),
    [
        ("new", "To Do"),
        ("open", "In Progress"),
        ("pending", "In Progress"),
        ("hold", "In Progress"),
        ("solved", "Done"),
        ("closed", "Done"),
    ],
)
def test_a_status_of_zendesk_is_told_in_jiras_words(zendesk: str, jira: str) -> None:
    assert travelled("zendesk", "jira", {"status": zendesk}) == {"status": jira}


@pytest.mark.parametrize(
    ("jira", "zendesk"),
    # Zendesk never goes back to new.
    [("To Do", "open"), ("In Progress", "open"), ("In Review", "open"), ("Done", "solved")],
)
def test_a_status_of_jira_is_told_in_zendesks_words(jira: str, zendesk: str) -> None:
    assert travelled("jira", "zendesk", {"status": jira}) == {"status": zendesk}


def test_a_zendesk_ticket_becomes_a_servicenow_incident() -> None:
    ticket: dict[str, Value] = {
        "subject": "Orders are charged twice",
        "status": "pending",
        "priority": "urgent",
        "type": "question",
        "tags": ["checkout"],
    }

    assert travelled("zendesk", "servicenow", ticket) == {
        "short_description": "Orders are charged twice",
        "state": "On Hold",
        "priority": "1 - Critical",
        "type": "incident",
    }


def test_a_servicenow_incident_becomes_a_zendesk_ticket() -> None:
    incident: dict[str, Value] = {
        "short_description": "The mail server is down",
        "state": "On Hold",
        "priority": "5 - Planning",
        "impact": "3 - Low",
        "type": "change",
        "assignment_group": "Network",
    }

    assert travelled("servicenow", "zendesk", incident) == {
        "subject": "The mail server is down",
        "status": "hold",
        "priority": "low",
        "type": "task",
    }


@pytest.mark.parametrize(
    ("status", "incident", "change"),
    [
        ("new", "New", "New"),
        ("open", "In Progress", "Assess"),
        ("on hold", "On Hold", "Assess"),
        ("resolved", "Resolved", "Review"),
        ("closed", "Closed", "Closed"),
    ],
)
def test_each_process_of_servicenow_takes_a_status_in_its_own_words(
    status: str, incident: str, change: str
) -> None:
    states = {
        "incident": ("New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"),
        "change": ("New", "Assess", "Authorize", "Scheduled", "Implement", "Review", "Closed", "Canceled"),
    }
    taken = {
        process: values_of(
            templates.incoming_rules("servicenow", {"state": names}), "state", is_outgoing=False
        )
        for process, names in states.items()
    }

    assert (taken["incident"][status], taken["change"][status]) == (incident, change)


def test_a_zendesk_ticket_becomes_a_work_item() -> None:
    ticket: dict[str, Value] = {
        "subject": "Orders are charged twice",
        "status": "pending",
        "priority": "urgent",
        "type": "incident",
        "tags": ["checkout"],
    }

    assert travelled("zendesk", "azure_devops", ticket) == {
        "title": "Orders are charged twice",
        "status": "Active",
        "priority": "1",
        "type": "Bug",
        "tags": ["checkout"],
    }


def test_a_work_item_becomes_a_jira_issue() -> None:
    item: dict[str, Value] = {
        "title": "Payment page is slow",
        "status": "Closed",
        "priority": "3",
        "severity": "2 - High",
        "type": "Bug",
        "tags": ["shop"],
        "area": "Support\\Network",
    }

    assert travelled("azure_devops", "jira", item) == {
        "summary": "Payment page is slow",
        "status": "Done",
        "priority": "Medium",
        "labels": ["shop"],
    }


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ("Agile", ("New", "Active", "Active", "Resolved", "Closed")),
        ("Scrum", ("New", "Committed", "Committed", "Done", "Done")),
        ("CMMI", ("Proposed", "Active", "Active", "Resolved", "Closed")),
        ("Basic", ("To Do", "Doing", "Doing", "Done", "Done")),
    ],
)
def test_each_process_of_azure_devops_takes_a_status_in_its_own_words(
    process: str, expected: tuple[str, ...]
) -> None:
    states = {
        "Agile": ("New", "Active", "Resolved", "Closed"),
        "Scrum": ("New", "Approved", "Committed", "Done", "Removed"),
        "CMMI": ("Proposed", "Active", "Resolved", "Closed"),
        "Basic": ("To Do", "Doing", "Done"),
    }
    known = {"status": states[process]}
    taken = values_of(templates.incoming_rules("azure_devops", known), "status", is_outgoing=False)
    told = values_of(templates.outgoing_rules("azure_devops", known), "status", is_outgoing=True)

    assert tuple(taken[one] for one in ("new", "open", "on hold", "resolved", "closed")) == expected
    assert set(told) == set(states[process])


def test_an_empty_priority_becomes_the_usual_one_where_it_cannot_be_empty() -> None:
    assert travelled("zendesk", "jira", {"priority": None}) == {"priority": "Medium"}
    assert travelled("jira", "zendesk", {"priority": None}) == {"priority": None}


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_sends_and_takes_nothing_the_dictionary_does_not_have(kind: str) -> None:
    for rule in templates.outgoing_rules(kind, {}):
        known = DICTIONARY[rule.target]
        assert not known.values or set(rule.values.values()) <= set(known.values)
    for rule in templates.incoming_rules(kind, {}):
        known = DICTIONARY[rule.source]
        assert not known.values or set(known.values) <= set(rule.values)


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_is_restless_within_a_side(kind: str) -> None:
    outgoing, incoming = templates.outgoing_rules(kind, {}), templates.incoming_rules(kind, {})
    for rule in outgoing:
        back = values_of(incoming, rule.source, is_outgoing=False)
        assert restless_values(rule.values, back) == []


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_a_value_comes_to_rest_however_often_it_is_told(left: str, right: str) -> None:
    """Even if every write were told back as news, both sides would stand still after one round."""
    for rule in templates.outgoing_rules(left, {}):
        for value in rule.values:
            here, there = {rule.source: value}, travelled(left, right, {rule.source: value})
            rounds = []
            for _ in range(3):
                here = travelled(right, left, there) or here
                there = travelled(left, right, here) or there
                rounds.append((here, there))
            assert rounds[0] == rounds[1] == rounds[2], (rule.source, value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_fits_the_system_it_was_made_for(kind: str) -> None:
    with bench(kind) as desk:
        told = desk.connector.fields()
    own = {one.name: one.values for one in told}
    facts = {
        one.name: FieldFacts(
            one.label,
            one.kind,
            one.values,
            one.max_length,
            is_required=one.is_required,
            is_create_only=one.is_create_only,
        )
        for one in told
    }
    dictionary = {
        one.name: FieldFacts(one.label, one.kind, one.values, one.max_length) for one in templates.DICTIONARY
    }
    outgoing, incoming = templates.outgoing_rules(kind, own), templates.incoming_rules(kind, own)

    findings = [
        *check_set(outgoing, own=facts, dictionary=dictionary, is_outgoing=True, counterpart=incoming),
        *check_set(incoming, own=facts, dictionary=dictionary, is_outgoing=False, counterpart=outgoing),
    ]

    assert [finding.message for finding in findings if finding.grade is Grade.BLOCK] == []


def test_the_systems_own_words_are_preferred() -> None:
    known = {"status": ("Backlog", "in progress", "Blocked", "Resolved", "Closed"), "priority": ("High",)}

    status = values_of(templates.incoming_rules("jira", known), "status", is_outgoing=False)
    sent = values_of(templates.outgoing_rules("jira", known), "status", is_outgoing=True)

    assert status == {
        "new": "Backlog",
        "open": "in progress",
        "pending": "in progress",
        "on hold": "Blocked",
        "resolved": "Resolved",
        "closed": "Closed",
    }
    assert sent == {
        "Backlog": "new",
        "in progress": "open",
        "Blocked": "on hold",
        "Resolved": "resolved",
        "Closed": "resolved",
    }
    assert lost_values(sent, status) == {}


def test_a_value_the_system_lacks_is_left_for_a_person() -> None:
    status = values_of(
        templates.incoming_rules("jira", {"status": ("Doing", "Done")}), "status", is_outgoing=False
    )

    assert status == {"resolved": "Done", "closed": "Done"}


def test_fields_the_system_lacks_get_no_rule() -> None:
    known = {"summary": (), "status": ("To Do", "Done")}

    assert [rule.source for rule in templates.outgoing_rules("jira", known)] == ["summary", "status"]
    assert [rule.target for rule in templates.incoming_rules("jira", known)] == ["summary", "status"]


def test_jira_types_are_kept_although_it_lists_one() -> None:
    (rule,) = [
        one for one in templates.outgoing_rules("jira", {"issuetype": ("Task",)}) if one.source == "issuetype"
    ]

    assert rule.transform is Transform.VALUE_MAP
    assert rule.values["Bug"] == "incident"


def test_comments_from_outside_reach_no_customer_by_themselves() -> None:
    public = {kind for kind, template in templates.VENDORS.items() if template.comments_become_public}
    assert not {"servicenow", "zendesk"} & public


def test_an_unknown_kind_begins_without_rules() -> None:
    assert templates.outgoing_rules("pigeon", {}) == ()
    assert templates.incoming_rules("pigeon", {}) == ()
