"""Runs a command in a place of its own: an empty database, folder and queue that are removed afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

from portal.demo import place


def run_again() -> int:
    """Start this very command anew in a passing place, wait for its end, remove the place; its exit code.

    The settings are read before a command begins, so a place cannot be changed within one process.
    """
    variables = place.settle(["--once"], os.environ)
    process = subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, **variables})
    # A terminal's Ctrl-C reaches the child as well; these are sent to us alone.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: process.send_signal(number))
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            # The child got the signal as well and stops everything it has started; only then is the place removed.
            continue
    shutil.rmtree(variables["DATA_DIR"], ignore_errors=True)
    return code
