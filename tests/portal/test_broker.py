"""The file broker of the embedded set-up: a message appears whole or not at all, whoever looks in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES

from portal import broker

FOLDERS = ("queue", "done", "control")


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """The folder in which messages lie."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    return tmp_path / "queue"


@pytest.fixture
def channel(queue: Path) -> Iterator[broker.Channel]:
    broker.use_for_files()
    folders = {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "processed_folder": str(queue.with_name("done")),
        "control_folder": str(queue.with_name("control")),
    }
    with Connection("filesystem://", transport_options=folders) as link:
        yield link.channel()


def messages(queue: Path) -> list[str]:
    return [path.name for path in queue.iterdir()]


def test_addresses_of_files_mean_this_transport() -> None:
    TRANSPORT_ALIASES["filesystem"] = "kombu.transport.filesystem:Transport"

    for _ in range(2):
        broker.use_for_files()

    assert Connection("filesystem://").get_transport_cls() is broker.Transport
    with Celery(broker="filesystem://").connection_for_write() as link:
        assert isinstance(link.transport, broker.Transport)


def test_messages_come_out_as_they_went_in_the_oldest_first(
    channel: broker.Channel, queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter((1.001, 1.002, 1.003))
    monkeypatch.setattr("portal.broker.monotonic", lambda: next(ticks))
    for number in range(3):
        channel._put("ours", {"number": number, "text": "naïve – “quoted”"})

    got = [channel._get("ours") for _ in range(3)]

    assert got == [{"number": number, "text": "naïve – “quoted”"} for number in range(3)]
    assert messages(queue) == []
    with pytest.raises(Empty):
        channel._get("ours")


def test_a_queue_gets_only_its_own_messages(channel: broker.Channel) -> None:
    channel._put("theirs", {"number": 1})
    channel._put("celery.pidbox.ours", {"number": 2})

    with pytest.raises(Empty):
        channel._get("ours")
    assert channel._size("theirs") == 1
    assert channel._get("celery.pidbox.ours") == {"number": 2}


def test_whoever_looks_while_a_message_is_written_finds_none(
    channel: broker.Channel, queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    replace = os.replace

    def look_and_replace(source: Path, target: Path) -> None:
        # By now all of it is written, and none of it is in its place.
        seen.append(channel._size("ours"))
        with pytest.raises(Empty):
            channel._get("ours")
        replace(source, target)

    monkeypatch.setattr(os, "replace", look_and_replace)

    channel._put("ours", {"number": 1})

    assert seen == [0]
    assert channel._get("ours") == {"number": 1}


def test_what_a_killed_writer_left_is_never_read(channel: broker.Channel, queue: Path) -> None:
    (queue / "0_half.part").write_text('{"number"')

    channel._put("ours", {"number": 1})

    assert channel._get("ours") == {"number": 1}
    with pytest.raises(Empty):
        channel._get("ours")


def test_a_folder_that_is_gone_is_named(channel: broker.Channel, queue: Path) -> None:
    queue.rmdir()

    with pytest.raises(ChannelError) as caught:
        channel._put("ours", {"number": 1})

    assert str(caught.value) == (f"The broker's folder {queue} cannot be written: No such file or directory.")


def test_a_task_can_be_sent_through_it_and_read_again(queue: Path) -> None:
    broker.use_for_files()
    app = Celery(broker="filesystem://", set_as_current=False)
    app.conf.task_default_queue = "ours"
    app.conf.broker_transport_options = {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "processed_folder": str(queue.with_name("done")),
        "control_folder": str(queue.with_name("control")),
    }

    app.send_task("wake", expires=5)

    with app.connection_for_read() as link:
        message = link.SimpleQueue("ours").get(block=False)
        assert message.headers["task"] == "wake"
        message.ack()
    assert messages(queue) == []
