"""A replay in processes of its own while somebody makes trouble beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests import recordings

ROOT = Path(__file__).resolve().parents[2]
MOST_S = 300
# The shortest that the settings allow: a write whose outcome is unknown is looked at again sooner.
IMPATIENT = {"SYNC_LANE_LEASE_S": "20", "SYNC_REQUEST_TIMEOUT_S": "5"}
LOOK_EVERY_S = 0.2


def clean(incidents: int) -> dict[str, object]:
    """What a replay of so many incidents comes to when nothing is lost, doubled or out of order."""
    return {
        "incidents": incidents,
        "events": len(recordings.log(incidents)),
        "linked": incidents,
        "equal": incidents,
        "lost": 0,
        "doubled": 0,
        "out_of_order": 0,
        "findings": [],
        "agrees": True,
        "kills": 0,
    }


def replay(
    folder: Path,
    incidents: int,
    variables: Mapping[str, str],
    *options: str,
    beside: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The counts of a replay with these variables and options; `beside` is called again and again while it runs."""
    given = ("PATH", "HOME", "LANG", "TZ")
    environment = {name: os.environ[name] for name in given if name in os.environ}
    environment |= {**variables, "TMPDIR": str(folder)}
    log = recordings.write(folder / "log.csv.xz", recordings.log(incidents))
    command = [sys.executable, "manage.py", "replay", str(log), "--alone", "--json", *options]
    with (folder / "out").open("w+") as output, (folder / "err").open("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=errors, text=True
        )
        deadline = time.monotonic() + MOST_S
        try:
            while process.poll() is None and time.monotonic() < deadline:
                beside()
                time.sleep(LOOK_EVERY_S)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(60)
    told, complaint = ((folder / name).read_text() for name in ("out", "err"))
    assert process.returncode == 0, complaint[-3000:] + told[:3000]
    figures = json.loads(told)
    return {name: figures[name] for name in clean(incidents)}
