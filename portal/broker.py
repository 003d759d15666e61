"""The file broker of the embedded set-up, mended: a message appears whole or not at all.

kombu's own transport writes a message into its place bit by bit and reads without asking for the lock, so that a
worker which looks in between finds an empty file, cannot parse it, and ends.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from time import monotonic
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem


class Channel(filesystem.Channel):
    """kombu's channel, with messages written aside and moved into place."""

    # kombu's own transports name the second argument differently, too.
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        """Put a message onto the queue; ChannelError when its folder cannot be written."""
        folder = Path(self.data_folder_out)
        # The name begins with the time, which is how the reader finds the oldest.
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}"
        aside = folder / f"{name}.part"
        try:
            aside.write_text(json.dumps(payload))
            os.replace(aside, folder / f"{name}.{queue}.msg")
        except OSError as error:
            raise ChannelError(
                f"The broker's folder {folder} cannot be written: {error.strerror}."
            ) from error


class Transport(filesystem.Transport):
    """kombu's transport with that channel."""

    Channel = Channel


def use_for_files() -> None:
    """Let addresses that begin with filesystem:// mean this transport.  May be repeated."""
    TRANSPORT_ALIASES["filesystem"] = "portal.broker:Transport"
