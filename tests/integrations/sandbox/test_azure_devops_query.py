"""Finding work items in the sandboxed Azure DevOps by WIQL, and the gate in front of everything."""

from __future__ import annotations

import pytest
import requests

from tests.integrations.sandbox.azure_devops import change, comment, create, refused
from tests.integrations.sandbox.vendor import Vendor, vendor


def found(one: Vendor, where: str, **query: str) -> list[int]:
    """The ids of the work items for which a condition holds."""
    response = one(
        "POST", "/wit/wiql", {"query": f"SELECT [System.Id] FROM workitems WHERE {where}"}, params=query
    )
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["workItems"]]


@pytest.fixture
def filled(azure_devops: Vendor) -> Vendor:
    """A bug about the VPN, an hour later a task for somebody, and another hour later a closed bug."""
    create(
        azure_devops,
        System_Title="VPN isn't up",
        System_Tags="ours:1; vpn",
        System_AreaPath="Support\\Network",
    )
    azure_devops.clock.advance(3600)
    create(azure_devops, "Task", System_AssignedTo="ines@partner.example", System_Tags="ours:12")
    azure_devops.clock.advance(3600)
    create(azure_devops, Microsoft_VSTS_Common_Priority=1)
    change(azure_devops, 3, System_State="Closed")
    comment(azure_devops, 3, "The printer did it")
    return azure_devops


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("[System.Id] = 2", [2]),
        ("[System.Id] IN (3, 1, 99) AND [System.TeamProject] = @project", [1, 3]),
        ("[System.Id] NOT IN (1)", [2, 3]),
        ("System.WorkItemType = 'bug'", [1, 3]),
        ("[Work Item Type] <> 'Bug'", [2]),
        ("[System.Title] CONTAINS 'isn''t'", [1]),
        ("[System.Title] NOT CONTAINS 'VPN'", []),
        ("[System.Tags] CONTAINS 'ours:12'", [2]),
        # By the beginning of a tag, so that whoever looks for an exact one has to compare.
        ("[System.Tags] CONTAINS 'ours:1'", [1, 2]),
        ("[System.AreaPath] UNDER 'Support\\Network'", [1]),
        ("[System.AreaPath] UNDER 'Support'", [1, 2, 3]),
        ("[System.AreaPath] NOT UNDER 'Support\\Network'", [2, 3]),
        ("[System.AssignedTo] = 'Ines Incident'", [2]),
        ("[System.AssignedTo] = ''", [1, 3]),
        ("[System.AssignedTo] IS NOT EMPTY", [2]),
        ("[System.CreatedBy] = @Me", [1, 2, 3]),
        ("[System.State] EVER 'New' AND [System.State] = 'Closed'", [3]),
        ("[Microsoft.VSTS.Common.Priority] < 2", [3]),
        ("([System.Id] = 1 OR [System.Id] = 2) AND NOT [System.WorkItemType] = 'Task'", [1]),
        ("[System.Id] = 1 OR [System.Id] = 2 AND [System.State] = 'Closed'", [1]),
        ("[System.History] CONTAINS 'printer'", [3]),
        ("[System.ChangedDate] >= @today", [1, 2, 3]),
        ("[System.ChangedDate] > '2026-03-01'", [1, 2, 3]),
        ("[System.ChangedDate] < @today - 7", []),
    ],
)
def test_conditions(filled: Vendor, where: str, ids: list[int]) -> None:
    assert found(filled, where) == ids


def test_times_are_compared_exactly_only_with_time_precision(filled: Vendor) -> None:
    where = "[System.ChangedDate] >= '2026-03-02T13:00:00Z'"

    without = filled("POST", "/wit/wiql", {"query": f"SELECT [System.Id] FROM WorkItems WHERE {where}"})

    assert found(filled, where, timePrecision="true") == [2, 3]
    assert found(filled, "[System.ChangedDate] > '2026-03-02T14:00:00.001Z'", timePrecision="true") == [3]
    assert refused(without)[0] == 400
    assert refused(without)[2].startswith(
        "You cannot supply a time with the date when running a query using date precision."
    )


def test_the_result_is_ordered_and_cut(filled: Vendor) -> None:
    assert found(filled, "[System.Id] > 0 ORDER BY [System.ChangedDate] DESC") == [3, 2, 1]
    assert found(filled, "[System.Id] > 0 ORDER BY [Microsoft.VSTS.Common.Priority], [System.Id] DESC") == [
        3,
        2,
        1,
    ]
    assert found(filled, "[System.Id] > 0", **{"$top": "2"}) == [1, 2]


def test_only_ids_are_told_whatever_is_selected(filled: Vendor) -> None:
    answer = filled.send(
        "POST", "/wit/wiql", {"query": "SELECT [System.Title] FROM WorkItems ORDER BY [System.Id] DESC"}
    )

    assert [sorted(one) for one in answer["workItems"]] == [["id", "url"]] * 3
    assert [one["referenceName"] for one in answer["columns"]] == ["System.Title"]
    assert answer["sortColumns"][0]["descending"] is True


def test_a_result_beyond_the_limit_is_an_error_and_never_cut_in_silence() -> None:
    with vendor("azure_devops", max_query_results=2) as one:
        for _ in range(3):
            create(one)
        over = refused(one("POST", "/wit/wiql", {"query": "SELECT [System.Id] FROM WorkItems"}))
        cut = found(one, "[System.Id] > 0", **{"$top": "2"})

    assert over[:2] == (400, "WorkItemTrackingQueryResultSizeLimitExceededException")
    assert over[2].startswith("VS402337: The number of work items returned exceeds the size limit of 2.")
    assert cut == [1, 2]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT",
        "SELECT [System.Id]",
        "SELECT [Nothing] FROM WorkItems",
        "SELECT [System.Id] FROM WorkItemLinks",
        "SELECT [System.Id] FROM WorkItems WHERE",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Title] ~ 'x'",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Title] = 'open",
        "SELECT [System.Id] FROM WorkItems WHERE ([System.Id] = 1",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Id] = 1 garbage",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Id] IN 1",
        "SELECT [System.Id] FROM WorkItems WHERE [System.ChangedDate] = 'yesterday'",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Id] = 'x'",
    ],
)
def test_a_query_that_cannot_be_read_is_refused(azure_devops: Vendor, query: str) -> None:
    answer = azure_devops("POST", "/wit/wiql", {"query": query})

    assert refused(answer)[:2] == (400, "SyntaxException")


def test_the_project_macro_needs_a_project_in_the_address(filled: Vendor) -> None:
    query = {"query": "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project"}
    url = filled.sign_in["url"]

    statuses = [
        filled("POST", f"{url}{scope}/_apis/wit/wiql", query).status_code
        for scope in ("", "/Support", "/Support/Support%20Team")
    ]

    assert statuses == [400, 200, 200]


# --- The gate ---


def ask(one: Vendor, path: str = "/_apis/projects", **more: object) -> requests.Response:
    """A request without the session's name, token and version."""
    url = one.sign_in["url"] + path
    return requests.get(url, timeout=10, allow_redirects=False, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("meets", "status", "words"),
    [("203", 203, "Azure DevOps Services | Sign In"), ("302", 302, "Object moved"), ("401", 401, "")],
)
def test_a_wrong_token_meets_a_page_for_people(meets: str, status: int, words: str) -> None:
    with vendor("azure_devops", wrong_sign_in=meets) as one:
        answer = ask(one, auth=("", "wrong"))
        plainly = ask(one, auth=("", "wrong"), headers={"X-TFS-FedAuthRedirect": "Suppress"})

    assert (answer.status_code, words in answer.text) == (status, True)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert plainly.status_code == 401


def test_an_expired_token_is_told_so(azure_devops: Vendor) -> None:
    azure_devops.sandbox.settings(token_expired=True)

    answer = azure_devops("GET", "/wit/workitems/1")

    assert (answer.status_code, "has expired" in answer.text) == (401, True)


def test_any_name_will_do_with_the_token_and_so_will_bearer(azure_devops: Vendor) -> None:
    token, query = azure_devops.sign_in["token"], {"api-version": "7.1"}

    answers = [
        ask(azure_devops, params=query, auth=("", token)),
        ask(azure_devops, params=query, auth=("anybody", token)),
        ask(azure_devops, params=query, headers={"Authorization": f"Bearer {token}"}),
    ]

    assert [one.status_code for one in answers] == [200, 200, 200]


@pytest.mark.parametrize(
    ("version", "path", "status", "key"),
    [
        ("", "/_apis/projects", 400, "VssVersionNotSpecifiedException"),
        ("9.0", "/_apis/projects", 400, "VssVersionOutOfRangeException"),
        ("7.1", "/_apis/connectionData", 400, "VssInvalidPreviewVersionException"),
        ("7.1-preview.1", "/_apis/connectionData", 200, ""),
        ("7.1", "/_apis/PROJECTS", 200, ""),
    ],
)
def test_the_version_is_in_the_query_or_in_accept(
    azure_devops: Vendor, version: str, path: str, status: int, key: str
) -> None:
    auth = ("", azure_devops.sign_in["token"])

    in_query = ask(azure_devops, path, auth=auth, params={"api-version": version} if version else {})
    accepted = f"application/json;api-version={version}" if version else "application/json"
    in_accept = ask(azure_devops, path, auth=auth, headers={"Accept": accepted})

    assert [(one.status_code, one.json().get("typeKey", "")) for one in (in_query, in_accept)] == [
        (status, key)
    ] * 2


def test_another_project_or_organisation_is_not_there(azure_devops: Vendor) -> None:
    url = azure_devops.sandbox.url

    other = azure_devops("GET", f"{url}/partner/Other/_apis/wit/fields")
    nowhere = azure_devops("GET", f"{url}/nobody/_apis/projects")

    assert refused(other)[:2] == (404, "ProjectDoesNotExistWithNameException")
    assert nowhere.status_code == 404


def test_a_method_that_an_address_does_not_have_is_refused(azure_devops: Vendor) -> None:
    answer = azure_devops("PUT", "/wit/workitems/1")

    message = "The requested resource does not support http method 'PUT'."
    assert (answer.status_code, answer.json()) == (405, {"count": 1, "value": {"Message": message}})


def test_a_project_may_have_blanks_in_its_name() -> None:
    with vendor("azure_devops", project="Service Desk") as one:
        answer = one("GET", f"{one.sign_in['url']}/Service%20Desk/_apis/wit/classificationnodes")

    assert [node["path"] for node in answer.json()["value"]] == [
        "\\Service Desk\\Area",
        "\\Service Desk\\Iteration",
    ]


def test_our_account_may_lack_the_right_to_write(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.sandbox.settings(denied=["write", "hooks"])

    assert azure_devops("GET", "/wit/workitems/1").status_code == 200
    assert refused(azure_devops("DELETE", "/wit/workitems/1"))[:2] == (403, "PermissionDeniedException")
    hooks = azure_devops("GET", azure_devops.sign_in["url"] + "/_apis/hooks/subscriptions")
    assert hooks.status_code == 403


# --- Limits ---


def test_a_busy_account_is_slowed_down_first_and_refused_later() -> None:
    with vendor("azure_devops", tstu_limit=10, tstu_delay_ms=1) as one:
        answers = [one("GET", "/wit/fields/System.Title") for _ in range(21)]
        one.clock.advance(301)
        later = one("GET", "/wit/fields/System.Title")

    told = [
        (each.status_code, each.headers.get("X-RateLimit-Remaining"), each.headers.get("X-RateLimit-Delay"))
        for each in answers
    ]
    assert told == [
        *[(200, None, None)] * 5,
        *[(200, str(left), None) for left in (4, 3, 2, 1, 0)],
        *[(200, "0", "0.001")] * 10,
        (429, "0", "0.000"),
    ]
    slowed, blocked = answers[15].headers, answers[20]
    assert (slowed["X-RateLimit-Resource"], slowed["X-RateLimit-Limit"]) == ("Core/TSTUs", "10")
    assert int(slowed["Retry-After"]) > 0
    assert refused(blocked)[2].startswith("TF400733: The request has been canceled")
    assert ("Retry-After" in blocked.headers, "Retry-After" in later.headers, later.status_code) == (
        True,
        False,
        200,
    )


def test_faults_are_worded_as_the_vendor_words_them(azure_devops: Vendor) -> None:
    azure_devops.sandbox.faults(
        next=[{"match": "GET", "do": do} for do in ("429", "503", "401", "404", "409", "412")]
    )

    answers = [azure_devops("GET", "/wit/fields") for _ in range(6)]

    assert [one.status_code for one in answers] == [429, 503, 401, 404, 409, 412]
    assert refused(answers[0])[2].startswith("TF400733")
    assert answers[1].headers["Content-Type"].startswith("text/html")
    body = answers[4].json()
    assert (body["typeKey"], body["errorCode"]) == ("WorkItemRevisionMismatchException", 600122)
