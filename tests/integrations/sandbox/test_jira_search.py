"""The search of the sandboxed Jira: the language, the pages, the lag."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.sandbox.vendor import Vendor, vendor


def create(jira: Vendor, summary: str, **fields: Any) -> str:
    marker = fields.pop("marker", None)
    wanted = {"project": {"key": "INC"}, "issuetype": {"name": "Task"}, "summary": summary, **fields}
    properties = [{"key": "concord", "value": {"marker": marker, "deep": {"n": 7}}}] if marker else []
    return str(jira.send("POST", "/issue", {"fields": wanted, "properties": properties})["key"])


def find(jira: Vendor, jql: str, **body: Any) -> list[str]:
    """The summaries found, in their order."""
    found = jira.send("POST", "/search/jql", {"jql": jql, "fields": ["summary"], **body})
    return [one["fields"]["summary"] for one in found["issues"]]


@pytest.fixture
def three(jira: Vendor) -> Vendor:
    """One issue at noon, one at one, one at two o'clock."""
    create(jira, "noon", marker="m-1", labels=["vpn"], priority={"name": "High"})
    jira.clock.advance(3600)
    create(jira, "one", marker="m-2", customfield_10050={"value": "Low"})
    jira.clock.advance(3600)
    create(jira, "two", assignee={"accountId": jira.get("/myself")["accountId"]})
    return jira


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("project = INC", ["two", "one", "noon"]),
        ("project = 'Incidents' order by created asc", ["noon", "one", "two"]),
        ("project = INC and creator = currentUser() order by created", ["noon", "one", "two"]),
        ("project = INC and creator != currentUser()", []),
        ("project = INC ORDER BY updated DESC, key ASC", ["two", "one", "noon"]),
        ("key in (INC-1, INC-3) order by key", ["noon", "two"]),
        ("id = 10002", ["one"]),
        ("key > INC-1 order by key", ["one", "two"]),
        ('updated >= "2026-03-02 13:00" order by key', ["one", "two"]),
        ("updated >= '2026/03/02 13:01'", ["two"]),
        ('updated < "2026-03-02 13:00"', ["noon"]),
        ("updated >= 2026-03-03", []),
        ("updated >= -60m order by key", ["one", "two"]),
        ("updated >= -1h AND updated < now()", ["one"]),
        ("created >= -30m", ["two"]),
        ('issue.property[concord].marker = "m-1"', ["noon"]),
        ("issue.property[concord].marker in (m-1, m-2) order by key", ["noon", "one"]),
        ("issue.property[concord].deep.n = 7 and labels = vpn", ["noon"]),
        ('issue.property["concord"].marker = nothing', []),
        ("labels is empty and assignee is empty", ["one"]),
        ("assignee = currentUser()", ["two"]),
        ("priority != High order by key", ["one", "two"]),
        ("priority not in (Medium, Low)", ["noon"]),
        ("cf[10050] = Low", ["one"]),
        ("Impact = Low", ["one"]),
        ('status = "To Do" and (summary ~ one or summary ~ "two") order by key', ["one", "two"]),
        ("not summary ~ o", []),
        ("statusCategory = 'To Do' and not labels = vpn order by key", ["one", "two"]),
        (
            "resolution is empty and issuetype = Task and reporter = Concord order by key",
            ["noon", "one", "two"],
        ),
    ],
)
def test_the_language(three: Vendor, jql: str, expected: list[str]) -> None:
    assert find(three, jql) == expected


@pytest.mark.parametrize(
    "jql",
    [
        "",
        "order by created",
        "project",
        "project =",
        "project = INC and",
        "project = INC)",
        "(project = INC",
        "colour = red",
        'updated >= "2026-03-02 13:00:00"',
        "updated >= yesterday",
        "updated ~ now()",
        "project = INC order by colour",
        "project = INC order by " + ", ".join(["key"] * 8),
        "key = INC-99",
        "project = OTHER",
        "labels in vpn",
        "summary > a",
        "issue.property[concord].marker > m",
        "= INC",
    ],
)
def test_what_jira_would_not_take_is_refused(three: Vendor, jql: str) -> None:
    answer = three("POST", "/search/jql", {"jql": jql})

    assert (answer.status_code, len(answer.json()["errorMessages"])) == (400, 1)


def test_times_are_read_in_the_users_time_zone(three: Vendor) -> None:
    three.sandbox.settings(time_zone="Asia/Kolkata")

    # 13:00 in UTC is 18:30 there.
    assert find(three, 'updated >= "2026-03-02 18:30" order by key') == ["one", "two"]


def test_without_fields_there_is_only_an_id(three: Vendor) -> None:
    assert three.get("/search/jql", jql="key = INC-1") == {"issues": [{"id": "10001"}], "isLast": True}


def test_fields_properties_and_expansions_are_given_when_asked(three: Vendor) -> None:
    query = {
        "jql": "key = INC-1",
        "fields": ["status", "key"],
        "properties": ["concord"],
        "expand": "changelog,names",
    }

    (issue,) = three.send("POST", "/search/jql", query)["issues"]

    assert (issue["key"], list(issue["fields"]), issue["properties"]["concord"]["marker"]) == (
        "INC-1",
        ["status"],
        "m-1",
    )
    assert (issue["changelog"]["total"], issue["names"]) == (0, {"status": "Status"})


def test_pages_follow_the_token_and_end_without_one(jira: Vendor) -> None:
    for number in range(5):
        create(jira, str(number))
    query = {"jql": "project = INC order by key", "fields": ["summary"], "maxResults": 2}

    pages = [jira.send("POST", "/search/jql", query)]
    create(jira, "too late for this search")
    while not pages[-1]["isLast"]:
        pages.append(jira.send("POST", "/search/jql", {**query, "nextPageToken": pages[-1]["nextPageToken"]}))

    assert [[one["fields"]["summary"] for one in page["issues"]] for page in pages] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]
    assert ["nextPageToken" in page for page in pages] == [True, True, False]


def test_a_token_is_good_for_its_query_and_for_a_week(jira: Vendor) -> None:
    for number in range(3):
        create(jira, str(number))
    query = {"jql": "project = INC", "maxResults": 1}
    token = jira.send("POST", "/search/jql", query)["nextPageToken"]

    def status(**more: Any) -> int:
        return jira("POST", "/search/jql", {**query, "nextPageToken": token, **more}).status_code

    assert (status(), status(jql="project = INC order by key")) == (200, 400)
    jira.clock.advance(7 * 24 * 3600 + 1)
    assert status() == 400


def test_with_fields_pages_are_smaller_than_asked_for(jira: Vendor) -> None:
    for number in range(101):
        create(jira, str(number))

    found = jira.send(
        "POST", "/search/jql", {"jql": "project = INC", "fields": ["summary"], "maxResults": 5000}
    )

    assert (len(found["issues"]), found["isLast"]) == (100, False)


def test_the_index_lags_unless_it_is_asked_to_reconcile() -> None:
    with vendor("jira", search_lag_s=30) as jira:
        create(jira, "new", marker="m-1")
        jql = 'issue.property[concord].marker = "m-1"'

        assert find(jira, jql) == []
        assert find(jira, jql, reconcileIssues=[10001]) == ["new"]

        jira.send("PUT", "/issue/INC-1/properties/concord", {"marker": "m-2"})
        assert (find(jira, jql), find(jira, jql.replace("m-1", "m-2"))) == (["new"], [])
        jira.clock.advance(30)
        assert (find(jira, jql), find(jira, jql.replace("m-1", "m-2"))) == ([], ["new"])


def test_a_change_moves_an_issue_in_the_index(three: Vendor) -> None:
    three.send("PUT", "/issue/INC-1", {"fields": {"summary": "noon again"}})

    assert find(three, "updated >= -1m order by updated, key") == ["noon again", "two"]


def test_a_deleted_issue_is_found_no_more(three: Vendor) -> None:
    three.send("DELETE", "/issue/INC-1")

    assert find(three, 'project = INC or issue.property[concord].marker = "m-1"') == ["two", "one"]


def test_a_hidden_issue_is_not_found(three: Vendor) -> None:
    three.sandbox.settings(hidden_issues=["INC-2"])

    assert find(three, "project = INC") == ["two", "noon"]


@pytest.mark.parametrize(
    "body",
    [
        {"jql": "project = INC", "startAt": 0},
        {"jql": "project = INC", "properties": list("abcdef")},
        {"jql": "project = INC", "reconcileIssues": list(range(51))},
        {"jql": "project = INC", "nextPageToken": "made up"},
    ],
)
def test_a_search_that_asks_too_much_is_refused(three: Vendor, body: dict[str, Any]) -> None:
    assert three("POST", "/search/jql", body).status_code == 400


def test_a_search_is_counted(three: Vendor) -> None:
    assert three.send("POST", "/search/approximate-count", {"jql": "updated >= -1h"}) == {"count": 2}


def test_the_creator_is_who_made_it_and_not_who_reported_it(jira: Vendor) -> None:
    create(jira, "ours")
    jira.sandbox.act({"do": "create", "fields": {"summary": "theirs"}, "as": "Ann <ann@partner.example>"})
    jira.clock.advance(10)

    assert find(jira, "creator = currentUser()") == ["ours"]
    assert find(jira, "creator = Ann") == ["theirs"]
