"""Outgoing web hooks at a real receiver, which verifies them with the specification's own library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from integrations.events import AlertNews, News, SeenChange, alert_told, histories_read, lane_parked
from integrations.models import Alert, EndpointSecret, HookEndpoint, HookMessage, LinkedTicket
from integrations.services import endpoints, heartbeats, outgoing, queue, watching
from integrations.services.refusals import NotPossible
from integrations.watch.webhooks import PAUSES
from tests import factories
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db

EVERYTHING = [
    "alert.opened",
    "alert.closed",
    "lane.parked",
    "lane.resumed",
    "ticket.linked",
    "ticket.status_changed",
]


class Receiver(ThreadingHTTPServer):
    """Takes web hooks; answers what it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks?from=concord"

    def events(self, secret: str) -> list[dict[str, Any]]:
        """What came, each proven by its signature; WebhookVerificationError for a forged one."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.got]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.SYNC_PRIVATE_HOSTS = ["127.0.0.1"]
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    outgoing.forget_listeners()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    outgoing.forget_listeners()


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    return scenes.matter(left, right, left_fields={}, right_fields={}, title="Charged twice")


def add(receiver: Receiver, partner: Any = None, events: list[str] = EVERYTHING) -> tuple[HookEndpoint, str]:
    return endpoints.add_endpoint(partner, "Pager", receiver.url, events, now=timezone.now())


def tell(alert: Alert) -> None:
    alert_told.send(Alert, alert=alert, news=AlertNews.OPENED, at=timezone.now())


def test_an_alert_arrives_and_proves_where_it_comes_from(receiver: Receiver, matter: Matter) -> None:
    endpoint, secret = add(receiver)
    alert = scenes.alert(matter.left.system)
    tell(alert)
    taken = outgoing.send_due(timezone.now())

    [event] = receiver.events(secret)
    assert (taken, event["type"]) == (1, "alert.opened")
    assert event["data"] == {
        "alert": alert.pk,
        "condition": "system_failing",
        "severity": "warning",
        "system": matter.left.system_id,
        "connection": None,
        "since": "2026-11-23T12:00:00+00:00",
    }
    message = endpoint.messages.get()
    assert (message.state, message.status, message.tries) == ("delivered", 200, 1)
    assert receiver.got[0][0]["webhook-id"] == message.message_id
    with pytest.raises(WebhookVerificationError):
        receiver.events(endpoints.new_secret())


def test_each_event_of_the_catalogue_names_what_changed_and_no_text(
    receiver: Receiver, matter: Matter
) -> None:
    _, secret = add(receiver)
    seen = scenes.seen(matter.left_ticket, fields={"status": "solved"})
    change = SeenChange(seen, {"status": "resolved"})
    news = News(matter.linked, matter.left, matter.left_ticket, [change], is_new=True)
    histories_read.send(LinkedTicket, news=[news])
    scenes.queued(matter.to_right, seen)
    scenes.park(matter.to_right, "invalid", "Jira refuses “secret words”.")
    lane_parked.send(type(matter.to_right), lane=matter.to_right)
    queue.retry_lane(matter.to_right, now=timezone.now())
    outgoing.send_due(timezone.now())

    events = receiver.events(secret)
    assert sorted(one["type"] for one in events) == [
        "lane.parked",
        "lane.resumed",
        "ticket.linked",
        "ticket.status_changed",
    ]
    assert {one["data"]["linked_ticket"] for one in events} == {matter.linked.number}
    told = b"".join(body for _, body in receiver.got).decode()
    assert not any(word in told for word in ("Charged", "secret words", "solved", "resolved"))


def test_a_partner_is_told_of_its_own_matters_alone(receiver: Receiver, matter: Matter) -> None:
    _, secret = add(receiver, factories.mercuri())
    add(receiver, factories.stranger())
    tell(scenes.alert(matter.left.system))
    tell(scenes.alert(matter.right.system))
    tell(scenes.alert(code="worker_away"))
    lane_parked.send(type(matter.to_right), lane=matter.to_right)
    outgoing.send_due(timezone.now())

    events = receiver.events(secret)
    assert sorted((one["type"], one["data"].get("system")) for one in events) == [
        ("alert.opened", matter.left.system_id),
        ("lane.parked", None),
    ]


def test_nobody_listens_costs_no_query(matter: Matter, django_assert_num_queries: Any) -> None:
    outgoing.forget_listeners()
    outgoing.listeners(outgoing.EventType.TICKET_LINKED)
    news = News(matter.linked, matter.left, matter.left_ticket, [], is_new=True)

    with django_assert_num_queries(0):
        outgoing.hear_news(LinkedTicket, news=[news])
        outgoing.hear_parked(None, lane=matter.to_right)
    outgoing.forget_listeners()


def test_an_endpoint_that_was_just_discarded_elsewhere_stops_no_change(
    receiver: Receiver, matter: Matter
) -> None:
    endpoint, _ = add(receiver)
    other, _ = add(receiver)
    tell(scenes.alert(matter.left.system))
    # Another process does it; this one believes what it knows for some seconds more.
    HookEndpoint.objects.filter(pk=endpoint.pk).delete()
    lane_parked.send(type(matter.to_right), lane=matter.to_right)

    assert sorted(other.messages.values_list("kind", flat=True)) == ["alert.opened", "lane.parked"]


# --- Failures ---


def test_it_is_tried_again_with_growing_pauses_under_the_same_id_until_it_is_taken(
    receiver: Receiver, matter: Matter
) -> None:
    endpoint, secret = add(receiver)
    receiver.status = 500
    tell(scenes.alert(matter.left.system))
    now, pauses = timezone.now(), []
    for _ in range(3):
        outgoing.send_due(now)
        due_at = endpoint.messages.get().due_at
        pauses.append(due_at - now)
        assert outgoing.send_due(due_at - timedelta(milliseconds=1)) == 0
        now = due_at
    receiver.status = 204
    taken = outgoing.send_due(now)

    assert all(0.8 * PAUSES[n] <= pause <= 1.2 * PAUSES[n] for n, pause in enumerate(pauses))
    assert (taken, endpoint.messages.get().tries) == (1, 4)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) > 1
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.answered_at) == (None, now)
    # The signature covers the time, so each try is signed anew.
    Webhook(secret).verify(receiver.got[0][1], receiver.got[0][0])


@pytest.mark.parametrize("status", [429, 503])
def test_what_the_receiver_asks_for_is_honoured(receiver: Receiver, matter: Matter, status: int) -> None:
    endpoint, _ = add(receiver)
    receiver.status, receiver.headers = status, {"Retry-After": "1200"}
    tell(scenes.alert(matter.left.system))
    now = timezone.now()
    outgoing.send_due(now)

    message = endpoint.messages.get()
    assert (message.status, message.due_at) == (status, now + timedelta(seconds=1200))


def test_after_the_last_try_it_is_given_up_and_can_be_sent_again(receiver: Receiver, matter: Matter) -> None:
    endpoint, _ = add(receiver)
    receiver.status = 400
    tell(scenes.alert(matter.left.system))
    now = timezone.now()
    for _ in range(len(PAUSES) + 1):
        outgoing.send_due(now)
        now = endpoint.messages.get().due_at
    given_up = endpoint.messages.get()
    receiver.status = 200
    endpoints.resend(given_up, now=now)

    assert (given_up.state, given_up.tries) == ("delivered", 1)
    assert len(receiver.got) == len(PAUSES) + 2


def test_one_endpoint_that_fails_does_not_hold_up_another(receiver: Receiver, matter: Matter) -> None:
    gone, _ = add(receiver)
    HookEndpoint.objects.filter(pk=gone.pk).update(url="http://127.0.0.1:1/")
    _, secret = add(receiver)
    for code in ("system_failing", "poll_stalled", "lanes_parked"):
        tell(scenes.alert(matter.left.system, code=code))
    outgoing.send_due(timezone.now())

    assert len(receiver.events(secret)) == 3
    assert sorted(gone.messages.values_list("tries", flat=True)) == [0, 0, 1]


def test_an_endpoint_is_never_disabled_without_an_alert(receiver: Receiver, matter: Matter) -> None:
    endpoint, _ = add(receiver)
    receiver.status = 410
    tell(scenes.alert(matter.left.system))
    outgoing.send_due(timezone.now())
    for part in (heartbeats.TICK, heartbeats.SWEEP):
        heartbeats.beat(part, timezone.now())
    watching.watch(now=timezone.now())
    endpoint.refresh_from_db()
    disabled = (endpoint.state, list(Alert.objects.filter(endpoint=endpoint).values_list("code", "severity")))
    # What comes meanwhile is kept, and sent when somebody resumes it.
    tell(scenes.alert(matter.right.system))
    receiver.status = 200
    idle = outgoing.send_due(timezone.now())
    endpoints.resume_endpoint(endpoint, now=timezone.now())
    taken = outgoing.send_due(timezone.now())

    assert disabled == ("disabled", [("endpoint_disabled", 3)])
    assert (idle, taken) == (0, 2)


@pytest.mark.parametrize(("hours", "codes"), [(0.9, []), (1, ["endpoint_failing"])])
def test_an_endpoint_that_fails_for_an_hour_is_an_alert(
    receiver: Receiver, hours: float, codes: list[str]
) -> None:
    endpoint, _ = add(receiver)
    now = timezone.now()
    HookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=now - timedelta(hours=hours))

    assert [one.code.value for one in outgoing.trouble(now)] == codes


def test_an_endpoint_is_not_told_of_its_own_trouble(receiver: Receiver) -> None:
    endpoint, _ = add(receiver)
    other, _ = add(receiver)

    tell(scenes.alert(endpoint=endpoint, code="endpoint_failing"))

    assert (endpoint.messages.count(), other.messages.count()) == (0, 1)


# --- Secrets and addresses ---


def test_during_a_change_both_secrets_prove_it_and_afterwards_the_new_one_alone(receiver: Receiver) -> None:
    endpoint, former = add(receiver)
    fresh = endpoints.rotate_secret(endpoint, now=timezone.now())
    endpoints.send_test(endpoint, now=timezone.now())
    both = [len(receiver.events(one)) for one in (former, fresh)]
    endpoints.end_former_secrets(endpoint)
    receiver.got.clear()
    endpoints.send_test(endpoint, now=timezone.now())

    assert both == [1, 1]
    assert len(receiver.events(fresh)) == 1
    with pytest.raises(WebhookVerificationError):
        receiver.events(former)


def test_a_former_secret_ends_by_itself_after_a_day(receiver: Receiver) -> None:
    endpoint, former = add(receiver)
    now = timezone.now()
    fresh = endpoints.rotate_secret(endpoint, now=now)

    assert outgoing.secrets_of(endpoint, now) == [fresh, former]
    assert outgoing.secrets_of(endpoint, now + timedelta(days=1)) == [fresh]


def test_secrets_are_sealed(receiver: Receiver) -> None:
    endpoint, secret = add(receiver)

    stored = EndpointSecret.objects.get(endpoint=endpoint).sealed
    assert secret not in stored
    assert secret.removeprefix("whsec_") not in stored


def test_a_private_address_is_not_called(receiver: Receiver, settings: Any) -> None:
    endpoint, _ = add(receiver)
    settings.SYNC_PRIVATE_HOSTS = []

    message = endpoints.send_test(endpoint, now=timezone.now())

    assert (receiver.got, message.state) == ([], "waiting")
    assert "127.0.0.1" in message.problem


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://pager.example/", "Use https."),
        ("ftp://pager.example/", "Enter a web address"),
        ("https://user:word@pager.example/", "Enter a web address"),
        ("https://pager.example/#part", "Enter a web address"),
        ("pager.example", "Enter a web address"),
        ("https://[broken/", "This is no web address."),
    ],
)
def test_an_address_that_must_not_be_called_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(NotPossible, match=complaint):
        endpoints.checked_url(url)


def test_what_was_taken_is_kept_for_a_month_and_what_waits_for_good(receiver: Receiver) -> None:
    endpoint, _ = add(receiver)
    old = timezone.now() - timedelta(days=31)
    for number, state in enumerate(("delivered", "failed", "waiting")):
        endpoint.messages.create(
            message_id=f"msg_{number}",
            kind="endpoint.test",
            body=json.dumps({}),
            state=state,
            created_at=old,
            due_at=old,
        )

    outgoing.forget_old(timezone.now())

    assert list(HookMessage.objects.values_list("state", flat=True)) == ["waiting"]
