"""Files between all four systems, both ways, over real HTTP: odd names, every byte, and what happens to the others."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from integrations.connectors import registry
from integrations.models import Delivery, Lane, MappingSet
from integrations.runtime.worker import Worker
from integrations.services.systems import open_connector_for
from tests.scenarios.test_pairs import Field, Place, opened

pytestmark = pytest.mark.django_db(transaction=True)

# Each system sends and receives in one of these.
COUPLES = [("zendesk", "jira"), ("servicenow", "azure_devops")]
CONTENT = bytes(range(256)) * 300
# What somebody calls a file, and what every other system then has.
NAMES = {
    "障害 レポート (1)&,.txt": "障害 レポート (1)&,.txt",
    "no extension": "no extension",
    "it's 100% & [done]; a=b #1 + ü.pdf": "it's 100% & [done]; a=b #1 + ü.pdf",
    "x" * 251 + ".txt": "x" * 251 + ".txt",
    "語" * 255 + ".txt": "語" * 83 + ".txt",
    "../../etc/passwd": "passwd",
    "a\r\nX-Evil: 1.txt": "a X-Evil: 1.txt",
}


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def change_rules(places: Field, direction: str, **policy: Any) -> None:
    """Change what all published rules say of files, for a worker that has not read them yet."""
    MappingSet.objects.filter(direction=direction).update(**policy)
    places.worker = Worker(open_connector_for)


def joined(places: Field, left: str, right: str) -> tuple[str, str]:
    """A ticket of the left system and its twin on the right, everything public on both sides."""
    places.join(left, right)
    # Where everybody sees a ticket's files, one is taken only when what comes in may be public.
    change_rules(places, "incoming", comments_become_public=True)
    own = places[left].act("create", fields={places[left].desk.case.title: "Parcels do not arrive"})
    places.settle()
    return own, places.there(left, own, right)


def attach(place: Place, ticket: str, name: str, content: bytes, content_type: str = "text/plain") -> None:
    """Somebody of the company adds a file."""
    encoded = base64.b64encode(content).decode()
    place.act("attach", ticket, file={"name": name, "base64": encoded, "content_type": content_type})


def digests(place: Place, ticket: str) -> dict[str, str]:
    """The files of a ticket by name, as digests of what is read from the system."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in place.files(ticket)}


def carried(sender: Place) -> dict[str, str]:
    """What the deliveries say of a system's files that travelled."""
    found = Delivery.objects.filter(operation="file", event__ticket__system=sender.system)
    return {one.envelope["file"]["name"]: one.result["file"]["sha256"] for one in found}


def stood_in() -> dict[str, str]:
    """The files in whose place a note stands, and why."""
    found = Delivery.objects.filter(operation="file").exclude(wanted={})
    return {one.envelope["file"]["name"]: one.wanted["stand_in"]["code"] for one in found}


@pytest.mark.parametrize(("left", "right"), COUPLES)
def test_files_with_odd_names_arrive_with_every_byte_in_both_directions(left: str, right: str) -> None:
    with opened(left, right) as places:
        own, other = joined(places, left, right)
        for sender, ticket, twin in ((places[left], own, other), (places[right], other, own)):
            receiver = places[right if sender.kind == left else left]
            before = digests(receiver, twin)
            sent = {}
            for number, name in enumerate(NAMES):
                content = CONTENT + f"{sender.kind} {number}".encode()
                attach(sender, ticket, name, content)
                sent[name] = hashlib.sha256(content).hexdigest()
            # So many that the lane has to keep to the system's limit for one ticket.
            places.worker.drain(for_s=60, linger_s=3)
            places.settle()
            there = [one for one in digests(receiver, twin).items() if one not in before.items()]
            assert sorted(there) == sorted((NAMES[name], digest) for name, digest in sent.items())
            assert sent.items() <= carried(sender).items()
        # Nothing came back to where it began, and nothing stands in the place of another.
        assert [len(places[left].files(own)), len(places[right].files(other))] == [2 * len(NAMES)] * 2
        assert stood_in() == {}


@pytest.mark.parametrize(("left", "right"), [*COUPLES, *(couple[::-1] for couple in COUPLES)])
def test_a_file_whose_answer_is_lost_is_there_once_whatever_its_name(left: str, right: str) -> None:
    with opened(left, right) as places:
        own, other = joined(places, left, right)
        name = "a\r\n障害 (1)&,.txt"
        # The last request of a file is the one that shows it.
        shows = {
            "zendesk": "PUT",
            "azure_devops": "PATCH",
            "jira": f"POST /rest/api/3/issue/{other}/attachments",
            "servicenow": "POST /api/now/attachment",
        }
        attach(places[left], own, name, CONTENT)
        places[right].desk.sandbox.faults(next=[{"match": shows[right], "do": "answer_lost"}])
        places.settle()
        assert Delivery.objects.get(operation="file").attempts.first().outcome == "unknown"
        assert places[right].files(other) == [("a 障害 (1)&,.txt", CONTENT)]
        assert [content for _, content in places[left].files(own)] == [CONTENT]
        assert carried(places[left]) == {name: hashlib.sha256(CONTENT).hexdigest()}


@pytest.mark.parametrize(("left", "right"), COUPLES)
def test_what_is_not_taken_becomes_a_note_in_either_system(left: str, right: str) -> None:
    with opened(left, right) as places:
        own, other = joined(places, left, right)
        # What their senders hear of it is not what this is about, and with it each ticket is near Jira's limit of writes.
        change_rules(places, "incoming", file_max_bytes=5000, notes_refusals=False)
        refused = {
            "setup.exe": "file_type_refused",
            # Shown as something that ends in exe.png.
            "cod\u202egnp.exe": "file_type_refused",
            "large.bin": "file_too_large",
        }
        for sender, ticket, twin in ((places[left], own, other), (places[right], other, own)):
            receiver = places[right if sender.kind == left else left]
            for name, code in refused.items():
                content = bytes(5001) if code == "file_too_large" else b"small"
                attach(sender, ticket, name, content, "application/octet-stream")
            attach(sender, ticket, "taken.txt", b"small")
            places.settle()
            assert dict(receiver.files(twin))["taken.txt"] == b"small"
            notes = [text for text in receiver.said(twin) if "stays in" in text]
            partner = sender.system.partner.name
            assert notes == [
                f"The file “setup.exe” stays in {partner}'s system. Files ending in .exe are not taken.",
                f"The file “codgnp.exe” stays in {partner}'s system. Files ending in .exe are not taken.",
                f"The file “large.bin” stays in {partner}'s system. Files of more than 4.9 kB are not taken.",
            ]
        assert stood_in() == refused


@pytest.mark.parametrize(("left", "right"), [*COUPLES, *(couple[::-1] for couple in COUPLES)])
def test_a_file_that_was_taken_away_meanwhile_becomes_a_note(left: str, right: str) -> None:
    with opened(left, right) as places:
        own, other = joined(places, left, right)
        Lane.objects.update(state=Lane.State.HELD)
        attach(places[left], own, "plan.txt", CONTENT)
        places.worker.drain(for_s=30, linger_s=0)
        take_all_files_away(places[left])
        Lane.objects.update(state=Lane.State.READY)
        places.settle()
        assert places[right].files(other) == []
        partner = places[left].system.partner.name
        assert [text for text in places[right].said(other) if "is not in" in text] == [
            f"The file “plan.txt” is not in {partner}'s system any more. "
            "It was taken away before it could be carried."
        ]
        assert stood_in() == {"plan.txt": "file_gone"}


def take_all_files_away(place: Place) -> None:
    """The company's people delete their files."""
    state: Any = place.desk.sandbox.state
    match place.kind:
        case "jira":
            state.site.files.clear()
        case "zendesk":
            state.desk.files.clear()
            state.desk.files_by_token.clear()
        case "azure_devops":
            state.organization.files.clear()
        case "servicenow":
            for record in list(state.instance.rows("sys_attachment")):
                state.instance.remove(record)


@pytest.mark.parametrize("right", sorted(registry.CONNECTORS))
def test_nothing_of_a_file_longer_than_announced_is_in_any_system(right: str) -> None:
    left = "jira" if right == "zendesk" else "zendesk"
    with opened(left, right) as places:
        own, other = joined(places, left, right)
        Lane.objects.update(state=Lane.State.HELD)
        attach(places[left], own, "plan.txt", CONTENT)
        places.worker.drain(for_s=30, linger_s=0)
        delivery = Delivery.objects.get(operation="file")
        delivery.envelope["file"]["size_bytes"] = len(CONTENT) - 70_000
        delivery.save(update_fields=["envelope"])
        Lane.objects.update(state=Lane.State.READY)
        places.settle()
        assert places[right].files(other) == []
        assert stood_in() == {"plan.txt": "file_size_wrong"}
        assert (
            len([text for text in places[right].said(other) if "longer than its own system says" in text])
            == 1
        )
