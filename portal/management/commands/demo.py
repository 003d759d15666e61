"""`manage.py demo`: the reference scenario on this machine, with no partner at hand, and a story that is played in it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from portal.console import console
from portal.demo import place
from portal.demo.processes import Stopped, Trouble
from portal.demo.run import Demo, Wish

INTERRUPTED = 130


class Command(BaseCommand):
    """Starts four sandboxes, the worker and the web server, plays the story, and stays up until Ctrl-C."""

    help = (
        "Show Concord at work: sandboxes of Zendesk, Jira, ServiceNow and Azure DevOps, the worker and the portal, "
        "and tickets' ways through all of them. Its data are in .demo (or in DATA_DIR/demo, or in a schema of its own in DATABASE_URL), and "
        "whatever else is there is left alone."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        place.add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        ports = {}
        for name, usual in place.PORTS.items():
            asked = options[f"{name}_port"]
            ports[name] = asked if asked is not None else 0 if options["once"] else usual
        wish = Wish(once=options["once"], fresh=options["fresh"], ports=ports)
        try:
            code = Demo(wish, console()).run()
        except Trouble as error:
            self.stderr.write(self.style.ERROR(str(error)))
            code = 1
        except Stopped:
            self.stderr.write("Stopped.")
            code = INTERRUPTED
        sys.exit(code)
