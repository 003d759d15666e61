"""`manage.py sandbox`: a Zendesk and a Jira Cloud on this machine, to try connections with no partner at hand."""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.sandbox.process import Child, StartFailed, start

LOOK_AGAIN_S = 1.0


class Command(BaseCommand):
    """Each sandbox is a process of its own; Ctrl-C stops both."""

    help = "Start a sandboxed Zendesk and a sandboxed Jira Cloud. No partner is touched."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--zendesk-port", type=int, default=8101, help="default %(default)s; 0 takes a free one"
        )
        parser.add_argument(
            "--jira-port", type=int, default=8102, help="default %(default)s; 0 takes a free one"
        )
        parser.add_argument(
            "--host", default="127.0.0.1", help="the address to listen on, default %(default)s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ports = {"zendesk": options["zendesk_port"], "jira": options["jira_port"]}
        children: list[Child] = []
        try:
            for kind, port in ports.items():
                children.append(_started(kind, port, options["host"]))
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
            self.stdout.write(self.style.SUCCESS(f"\n{LABELS[child.kind]}: {child.url}"))
            for name, value in child.sign_in.items():
                if name != "url":
                    self.stdout.write(f"  {name:<8} {value}")
            self.stdout.write(f"  to act as the partner's people, open {child.url}/")
        self.stdout.write("\nCtrl-C stops both.")

    def _wait(self, children: list[Child]) -> None:
        pause = threading.Event()
        while all(child.process.poll() is None for child in children):
            pause.wait(LOOK_AGAIN_S)
        ended = next(child for child in children if child.process.poll() is not None)
        raise CommandError(f"The {LABELS[ended.kind]} sandbox ended by itself; the other one is stopped too.")


LABELS = {"zendesk": "Zendesk", "jira": "Jira Cloud"}


def _started(kind: str, port: int, host: str) -> Child:
    try:
        return start(kind, port=port, host=host)
    except StartFailed as error:
        hint = f" Choose another with --{kind}-port." if "is taken" in str(error) else ""
        raise CommandError(f"The {LABELS[kind]} sandbox cannot start: {error}{hint}") from error
