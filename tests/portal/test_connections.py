"""The pages about connections."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, FieldRule, Lane, Side, System
from portal.forms.connections import join_values, split_values
from portal.models import AuditEntry, User
from tests.factories import (
    Role,
    globally,
    infinity,
    make_connection,
    make_system,
    make_user,
    mercuri,
    stranger,
)
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

LIST = reverse("connection_list")
ADD = reverse("connection_add")


@pytest.fixture
def staff(client: Client) -> User:
    """Signed in: service integrator staff."""
    user = make_user("sina", role=Role.INTEGRATOR_STAFF)
    client.force_login(user)
    return user


@pytest.fixture
def owner(client: Client) -> User:
    """Signed in: the owner of Mercuri's mappings."""
    user = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    client.force_login(user)
    return user


def at(name: str, row: Connection | Side) -> str:
    return reverse(name, args=[row.pk])


def names(response: Any) -> list[str]:
    return [connection.name for connection in response.context["listing"].page]


def side_of(connection: Connection, position: str = "left") -> Side:
    return connection.sides.select_related("system__partner", "connection").get(position=position)


def trail(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    return [(one.action, one.changes) for one in AuditEntry.objects.about(connection)]


def others() -> Connection:
    """A connection with which Mercuri has nothing to do."""
    return make_connection(make_system(stranger()), make_system(stranger(), "jira"), name="Of others")


# --- The list ---


def test_people_see_the_connections_they_take_part_in(client: Client, owner: User) -> None:
    make_connection(), others()

    assert names(client.get(LIST)) == ["Mercuri Zendesk – Global Jira"]


def test_staff_see_all_of_them(client: Client, staff: User) -> None:
    make_connection(), others()

    assert names(client.get(LIST)) == ["Mercuri Zendesk – Global Jira", "Of others"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "others"}, ["Of others"]),
        ({"q": "global jira"}, ["Mercuri Zendesk – Global Jira"]),
        ({"state": "paused"}, ["Of others"]),
        ({"sort": "-name"}, ["Of others", "Mercuri Zendesk – Global Jira"]),
        ({"partner": "mercuri"}, ["Mercuri Zendesk – Global Jira"]),
    ],
)
def test_the_list_is_narrowed_and_sorted(
    client: Client, staff: User, query: dict[str, str], expected: list[str]
) -> None:
    make_connection()
    Connection.objects.filter(pk=others().pk).update(state="paused")
    if "partner" in query:
        query = {"partner": str(mercuri().pk)}

    assert names(client.get(LIST, query)) == expected


def test_what_waits_is_counted(client: Client, staff: User) -> None:
    connection = make_connection()
    left, right = connection.sides.select_related("system__partner", "connection")
    for number in range(3):
        matter = scenes.matter(left, right, left_fields={}, right_fields={}, number=number)
        scenes.queued(matter.to_right)
    scenes.park(matter.to_right, "invalid", "The field is refused.")
    others()

    counted = [
        (one.ticket_count, one.waiting_count, one.parked_count)
        for one in client.get(LIST).context["listing"].page
    ]

    assert counted == [(3, 3, 1), (0, 0, 0)]


def test_the_list_is_exported(client: Client, owner: User) -> None:
    make_connection(), others()

    response = client.get(reverse("connection_export"))

    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    (row,) = text.split("\r\n")[1:-1]
    assert row.startswith(
        "Mercuri Zendesk – Global Jira,Active,Mercuri Inc: Mercuri Zendesk,Global Pvt Ltd: Global Jira,0,0,0,"
    )


def test_the_list_takes_as_many_queries_however_long_it_is(
    client: Client, staff: User, django_assert_num_queries: Any
) -> None:
    hub = make_system(infinity(), "jira")
    for _ in range(5):
        make_connection(make_system(mercuri()), hub)
    client.get(LIST)

    # Session, person, memberships, matrix; partners to choose from; counting, fetching; sides, systems and partners;
    # the person's own partner for the top bar.
    with django_assert_num_queries(12):
        client.get(LIST)


# --- Opening ---


def opened(client: Client, left: System, right: System, **values: Any) -> Any:
    data = {"name": "Complaints", "note": "", "template": "on", "left-starts": "on", **values}
    return client.post(f"{ADD}?left={left.pk}&right={right.pk}", data)


def test_two_systems_are_chosen_first(client: Client, staff: User) -> None:
    left, right = make_system(mercuri()), make_system(globally(), "jira")

    first = client.get(ADD)
    second = client.get(ADD, {"left": left.pk, "right": right.pk})

    assert [one.pk for one in first.context["form"].fields["left"].queryset] == [right.pk, left.pk]
    assert second.context["form"]["name"].value() == f"{left.name} – {right.name}"
    ((_, _, zendesk), (_, _, jira)) = second.context["ends"]
    assert [rule.source for rule in zendesk.outgoing] == [
        "subject",
        "description",
        "status",
        "priority",
        "type",
        "tags",
    ]
    assert (zendesk.comments_become_public, jira.comments_become_public) == (False, True)


def test_with_one_system_there_is_nothing_to_join(client: Client, staff: User) -> None:
    make_system(mercuri())

    assert "Two systems are needed" in client.get(ADD).content.decode()


def test_a_connection_is_opened_as_a_draft(client: Client, staff: User) -> None:
    left, right = make_system(mercuri(), name="M"), make_system(globally(), "jira", name="G")

    response = opened(
        client,
        left,
        right,
        **{"left-field_1": "priority", "left-values_1": "urgent, high", "note": "Agreed."},
    )

    connection = Connection.objects.get()
    assert response.url == at("connection_detail", connection)
    assert (connection.name, connection.state, connection.note) == ("Complaints", "draft", "Agreed.")
    assert [(side.system, side.starts, side.trigger) for side in connection.sides.all()] == [
        (left, True, {"priority": ["urgent", "high"]}),
        (right, False, {}),
    ]
    assert trail(connection) == [("opened", {"joins": "Mercuri Inc: M ↔ Global Pvt Ltd: G"})]


def test_it_can_begin_without_rules(client: Client, staff: User) -> None:
    data = {"name": "Complaints", "left-starts": "on"}
    left, right = make_system(mercuri()), make_system(globally(), "jira")

    client.post(f"{ADD}?left={left.pk}&right={right.pk}", data)

    assert Connection.objects.exists()
    assert not FieldRule.objects.exists()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"left-field_1": "priority"}, "Say which values open a ticket, separated by commas."),
        ({"left-values_1": "urgent"}, "Choose the field that these values belong to."),
        (
            {"left-field_1": "priority", "left-values_1": "blocker"},
            "There is no blocker here. It has low, normal, high, urgent.",
        ),
        (
            {
                "left-field_1": "type",
                "left-values_1": "task",
                "left-field_2": "type",
                "left-values_2": "incident",
            },
            "There is a condition on this field already: put the values together.",
        ),
        ({"name": ""}, "This field is required."),
        ({"name": "Taken"}, "A connection has this name already."),
    ],
)
def test_bad_input_gets_a_sentence_and_keeps_what_was_typed(
    client: Client, staff: User, values: dict[str, str], sentence: str
) -> None:
    make_connection(name="Taken")

    response = opened(
        client, make_system(mercuri()), make_system(globally(), "jira"), note="What was agreed", **values
    )

    page = response.content.decode()
    assert response.status_code == 422
    assert sentence in page
    assert "What was agreed" in page
    assert Connection.objects.count() == 1


def test_a_ring_is_told_before_anything_is_asked(client: Client, staff: User) -> None:
    connection = make_connection()
    left, right = (side.system for side in connection.sides.all())

    response = client.get(ADD, {"left": right.pk, "right": left.pk})

    assert response.status_code == 422
    assert response.context["form"].errors == {
        "right": ["Global Jira and Mercuri Zendesk are joined already, by “Mercuri Zendesk – Global Jira”."]
    }
    assert opened(client, left, right).status_code == 422
    assert Connection.objects.count() == 1


@pytest.mark.parametrize("role", [Role.MAPPING_OWNER, Role.SECURITY_OFFICER, Role.PARTNER_AGENT])
def test_only_the_integrator_joins_systems(client: Client, role: str) -> None:
    client.force_login(make_user(role=role, partner=infinity()))
    left, right = make_system(mercuri()), make_system(globally(), "jira")

    assert client.get(ADD).status_code == 403
    assert opened(client, left, right).status_code == 403


# --- One connection ---


def test_each_side_is_shown_as_far_as_it_is_the_readers(client: Client, owner: User) -> None:
    connection = make_connection(
        right_starts=True,
        left_trigger={"priority": ["urgent", "high"]},
        right_trigger={"labels": ["secret-label"]},
    )

    response = client.get(at("connection_detail", connection))

    left, right = response.context["cards"]
    page = response.content.decode()
    assert (left.is_readable, right.is_readable) == (True, False)
    assert left.conditions == [("Priority", "urgent or high")]
    assert (right.conditions, right.versions) == ((), ())
    assert "secret-label" not in page
    assert "Global Pvt Ltd’s own matter" in page


def test_another_partners_doings_are_not_in_the_trail(client: Client, owner: User) -> None:
    connection = make_connection()
    right = side_of(connection, "right")
    other = Client()
    other.force_login(make_user(role=Role.MAPPING_OWNER, partner=globally()))
    stamp = other.get(at("connection_side_edit", right)).context["form"]["stamp"].value()
    other.post(
        at("connection_side_edit", right),
        {"starts": "on", "field_1": "priority", "values_1": "Highest", "stamp": stamp},
    )

    mine = client.get(at("connection_detail", connection)).content.decode()
    theirs = other.get(at("connection_detail", connection)).content.decode()

    assert "changed what starts at" in theirs
    assert "changed what starts at" not in mine


READS = ["connection_detail"]
WRITES = ["connection_edit", "connection_discard"]
POSTS = ["connection_activate", "connection_pause", "connection_resume"]


@pytest.mark.parametrize("name", READS)
def test_a_connection_of_others_is_not_there(client: Client, owner: User, name: str) -> None:
    assert client.get(at(name, others())).status_code == 404


@pytest.mark.parametrize("name", WRITES + POSTS)
def test_taking_part_is_not_running_the_whole(client: Client, owner: User, name: str) -> None:
    connection = make_connection()

    assert client.post(at(name, connection)).status_code == 403
    connection.refresh_from_db()
    assert connection.state == "active"


@pytest.mark.parametrize("name", POSTS)
def test_buttons_are_not_links(client: Client, staff: User, name: str) -> None:
    assert client.get(at(name, make_connection())).status_code == 405


def test_a_connection_runs_through_its_states(client: Client, staff: User) -> None:
    connection = make_connection(state="draft")

    states = []
    for name in ("connection_activate", "connection_pause", "connection_resume", "connection_resume"):
        client.post(at(name, connection))
        connection.refresh_from_db()
        states.append(connection.state)

    assert states == ["active", "paused", "active", "active"]
    assert [action for action, _ in trail(connection)] == ["resumed", "paused", "activated"]


def test_what_keeps_it_from_starting_is_told(client: Client, staff: User) -> None:
    system = make_system(mercuri(), name="Mercuri Zendesk", is_tested=False)
    connection = make_connection(system, state="draft")

    page = client.post(at("connection_activate", connection), follow=True).content.decode()

    assert "Test Mercuri Zendesk first" in page
    assert trail(connection) == []


def test_name_and_note_are_changed(client: Client, staff: User) -> None:
    connection = make_connection()
    stamp = client.get(at("connection_edit", connection)).context["form"]["stamp"].value()

    client.post(at("connection_edit", connection), {"name": "Complaints", "note": "", "stamp": stamp})

    connection.refresh_from_db()
    assert connection.name == "Complaints"
    assert trail(connection) == [("changed", {"name": ["Mercuri Zendesk – Global Jira", "Complaints"]})]


def test_a_connection_without_tickets_is_discarded_after_asking(client: Client, staff: User) -> None:
    connection = make_connection(state="draft")

    asked = client.get(at("connection_discard", connection)).content.decode()
    client.post(at("connection_discard", connection))

    assert "Both systems stay." in asked
    assert not Connection.objects.exists()
    assert AuditEntry.objects.get(action="discarded").object_label == "Mercuri Zendesk – Global Jira"


def test_a_connection_with_tickets_stays(client: Client, staff: User) -> None:
    connection = make_connection()
    scenes.matter(side_of(connection), side_of(connection, "right"))

    page = client.post(at("connection_discard", connection), follow=True).content.decode()

    assert "their story is kept" in page
    assert Connection.objects.exists()
    assert not AuditEntry.objects.filter(action="discarded").exists()


def test_a_connection_page_takes_few_queries(
    client: Client, staff: User, django_assert_num_queries: Any
) -> None:
    connection = make_connection()
    scenes.matter(side_of(connection), side_of(connection, "right"))
    client.get(at("connection_detail", connection))

    # Session, person, memberships, matrix; the connection with sides, systems and partners; versions and lanes of
    # the sides; tickets and drift counted; the trail; the data dictionary; the person's own partner for the top bar.
    with django_assert_num_queries(16):
        client.get(at("connection_detail", connection))


# --- One side ---


def test_a_partner_pauses_and_resumes_its_own_side(client: Client, owner: User) -> None:
    connection = make_connection()
    left = side_of(connection)

    client.post(at("connection_side_pause", left), {"reason": "Stock-taking"})
    paused = side_of(connection)
    page = client.get(at("connection_detail", connection)).content.decode()
    client.post(at("connection_side_resume", left))

    assert (paused.is_paused, paused.paused_reason) == (True, "Stock-taking")
    assert "This side is paused: Stock-taking" in page
    assert side_of(connection).is_paused is False
    assert [action for action, _ in trail(connection)] == [
        "resumed the side of Mercuri Zendesk",
        "paused the side of Mercuri Zendesk",
    ]


def test_the_other_partner_reads_why(client: Client) -> None:
    connection = make_connection()
    Side.objects.filter(pk=side_of(connection).pk).update(is_paused=True, paused_reason="Stock-taking")
    client.force_login(make_user(role=Role.MAPPING_OWNER, partner=globally()))

    assert (
        "This side is paused: Stock-taking"
        in client.get(at("connection_detail", connection)).content.decode()
    )


def test_a_pause_without_a_reason_is_refused(client: Client, owner: User) -> None:
    left = side_of(make_connection())

    response = client.post(at("connection_side_pause", left), {"reason": " "})

    assert response.status_code == 422
    assert response.context["form"].errors == {"reason": ["Say why: the other partner reads it."]}


@pytest.mark.parametrize("name", ["connection_side_pause", "connection_side_edit"])
def test_the_other_side_is_not_ours(client: Client, owner: User, name: str) -> None:
    connection = make_connection()

    assert client.get(at(name, side_of(connection, "right"))).status_code == 403
    assert client.get(at(name, side_of(others()))).status_code == 404


def test_staff_pause_a_side_and_do_not_change_what_it_starts(client: Client, staff: User) -> None:
    left = side_of(make_connection())

    assert client.get(at("connection_side_pause", left)).status_code == 200
    assert client.get(at("connection_side_edit", left)).status_code == 403


def start(client: Client, side: Side, stamp: str = "", **values: str) -> Any:
    address = at("connection_side_edit", side)
    return client.post(
        address, {"stamp": stamp or client.get(address).context["form"]["stamp"].value(), **values}
    )


def test_a_partner_says_which_of_its_tickets_start(client: Client, owner: User) -> None:
    connection = make_connection()

    response = start(
        client,
        side_of(connection),
        starts="on",
        field_1="tags",
        values_1="vip, “gold”",
        field_3="type",
        values_3="incident",
    )

    assert response.status_code == 302
    assert side_of(connection).trigger == {"tags": ["vip", "“gold”"], "type": ["incident"]}
    ((action, changes),) = trail(connection)
    assert (action, changes["values_1"]) == ("changed what starts at", ["", "vip, “gold”"])


def test_what_starts_is_not_overwritten(client: Client, owner: User) -> None:
    side = side_of(make_connection())
    stamp = client.get(at("connection_side_edit", side)).context["form"]["stamp"].value()
    Side.objects.filter(pk=side.pk).update(starts=False)

    response = start(client, side, stamp, starts="on")

    assert response.status_code == 422
    side.refresh_from_db()
    assert side.starts is False


def test_a_condition_on_a_field_that_is_gone_can_still_be_seen(client: Client, owner: User) -> None:
    connection = make_connection(left_trigger={"gone": ["x"]})

    form = client.get(at("connection_side_edit", side_of(connection))).context["form"]

    assert ("gone", "gone") in form.fields["field_1"].choices


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("urgent", ["urgent"]),
        (" urgent , high ,, ", ["urgent", "high"]),
        ('"a, b", c', ["a, b", "c"]),
        ("one\ntwo", ["one", "two"]),
    ],
)
def test_values_in_a_line(text: str, values: list[str]) -> None:
    assert split_values(text) == values
    assert split_values(join_values(values)) == values


def test_lanes_are_counted_by_where_they_lead(client: Client, staff: User) -> None:
    connection = make_connection()
    left, right = side_of(connection), side_of(connection, "right")
    matter = scenes.matter(left, right, left_fields={}, right_fields={})
    scenes.queued(matter.to_left)
    Lane.objects.filter(pk=matter.to_left.pk).update(state="parked")

    cards = client.get(at("connection_detail", connection)).context["cards"]

    assert [(card.waiting, card.parked) for card in cards] == [(1, 1), (0, 0)]
