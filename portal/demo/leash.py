"""Runs a command and ends it, with all it started, when the process at the other end of our standard input is gone.

`python leash.py COMMAND ARGUMENTS...`.  The caller starts it in a session of its own and keeps the pipe's writing
end open; the system closes that end however the caller dies, also by kill -9.  No import of ours and nothing but the
standard library, so that it costs a few milliseconds.

The process becomes the command; a second one, the watcher, stays in the same group and reads.  While the watcher
lives the group's number cannot be given to anybody else, so whoever ends the group ends the right one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE_S = 3.0
LOOK_EVERY_S = 0.05
MOST_FILES = 4096


def main(command: list[str]) -> None:
    """Become `command`, watched."""
    leader = os.getpid()
    child = os.fork()
    if child == 0:
        # Twice, so that the command never finds a child it did not start.
        if os.fork() == 0:
            watch(leader)
        os._exit(0)
    os.waitpid(child, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.execvp(command[0], command)


def watch(leader: int) -> None:
    """Wait until nobody holds the pipe, then end the group of `leader`, ourselves included."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    # A socket handed to the command must not stay open here after the command has closed it.
    os.closerange(3, MOST_FILES)
    while os.read(0, 1024):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and is_alive(leader):
        time.sleep(LOOK_EVERY_S)
    os.killpg(leader, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
