"""`manage.py sandbox`: every vendor's system on this machine, to try connections with no partner at hand."""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.connectors.registry import label
from integrations.sandbox.kinds import DEFAULT_PORTS
from integrations.sandbox.process import Child, StartFailed, start

LOOK_AGAIN_S = 1.0


class Command(BaseCommand):
    """Each sandbox is a process of its own; Ctrl-C stops them all."""

    help = "Start a sandbox of every kind of system. No partner is touched."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        for kind, port in DEFAULT_PORTS.items():
            parser.add_argument(
                f"--{_option(kind)}-port",
                type=int,
                default=port,
                help="default %(default)s; 0 takes a free one",
            )
        parser.add_argument(
            "--only", choices=sorted(DEFAULT_PORTS), nargs="+", help="start these kinds only, not all of them"
        )
        parser.add_argument(
            "--host", default="127.0.0.1", help="the address to listen on, default %(default)s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Start them, introduce them, and stay until Ctrl-C."""
        children: list[Child] = []
        try:
            for kind in options["only"] or DEFAULT_PORTS:
                children.append(_started(kind, options[f"{kind}_port"], options["host"]))
            self._introduce(children)
            self._wait(children)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping the sandboxes.")
        finally:
            for child in children:
                child.stop()

    def _introduce(self, children: list[Child]) -> None:
        self.stdout.write("Sandboxes are running; no partner is touched.\n")
        for child in children:
            self.stdout.write(self.style.SUCCESS(f"\n{label(child.kind)}: {child.sign_in['url']}"))
            for name, value in child.sign_in.items():
                if name != "url":
                    self.stdout.write(f"  {name:<8} {value}")
            self.stdout.write(f"  to act as the partner's people, open {child.url}/")
        self.stdout.write("\nCtrl-C stops them.")

    def _wait(self, children: list[Child]) -> None:
        pause = threading.Event()
        while all(child.process.poll() is None for child in children):
            pause.wait(LOOK_AGAIN_S)
        ended = next(child for child in children if child.process.poll() is not None)
        raise CommandError(f"The {label(ended.kind)} sandbox ended by itself; the others are stopped too.")


def _option(kind: str) -> str:
    return kind.replace("_", "-")


def _started(kind: str, port: int, host: str) -> Child:
    try:
        return start(kind, port=port, host=host)
    except StartFailed as error:
        hint = f" Choose another with --{_option(kind)}-port." if "is taken" in str(error) else ""
        raise CommandError(f"The {label(kind)} sandbox cannot start: {error}{hint}") from error
