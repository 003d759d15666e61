"""`python -m integrations.sandbox zendesk --port 8101`: one sandbox in this process, without Django."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from integrations.sandbox.kinds import DEFAULT_PORTS, SYSTEMS
from integrations.sandbox.server import PortTaken, Server
from integrations.sandbox.system import Refusal

PORT_TAKEN = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; with --until-stdin-closes also until whoever started it is gone."""
    options = _parser().parse_args(argv)
    system = SYSTEMS[options.kind]()
    try:
        system.change_settings(dict(_setting(one) for one in options.set))
    except Refusal as error:
        sys.stderr.write(f"{error}\n")
        return 2
    port = DEFAULT_PORTS[options.kind] if options.port is None else options.port
    server = Server(system, options.host, port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.interrupt())
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_parent, args=(server,), daemon=True).start()
    try:
        server.run(lambda: _say_ready(server))
    except PortTaken as error:
        sys.stderr.write(f"{error}\n")
        return PORT_TAKEN
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m integrations.sandbox", description=__doc__)
    parser.add_argument("kind", choices=sorted(SYSTEMS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="0 takes a free one; default " + str(dict(DEFAULT_PORTS)))
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="a setting of the sandbox"
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that started it"
    )
    return parser


def _setting(text: str) -> tuple[str, Any]:
    name, _, raw = text.partition("=")
    try:
        return name, json.loads(raw)
    except ValueError:
        return name, raw


def _say_ready(server: Server) -> None:
    # One line of JSON, for the process that started this one.
    sys.stdout.write(
        json.dumps({"ready": True, "url": server.url, "sign_in": server.system.sign_in()}) + "\n"
    )
    sys.stdout.flush()


def _wait_for_parent(server: Server) -> None:
    # Not sys.stdin: a thread that waits in it stops the interpreter from ending.
    while os.read(0, 1024):
        pass
    server.interrupt()


if __name__ == "__main__":
    sys.exit(main())
