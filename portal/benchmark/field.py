"""The field of a benchmark: both sandboxes, worker and web server with an empty database, ready and idle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.urls import reverse

from integrations.models import Heartbeat, Ticket
from integrations.sandbox.client import Sandbox
from integrations.sandbox.jira.settings import simplified_transitions
from portal.demo import database, processes, seed
from portal.demo.processes import Processes

READY_WITHIN_S = 60.0


@dataclass(slots=True)
class Field:
    """Everything a run needs."""

    processes: Processes
    variables: Mapping[str, str]
    zendesk: Sandbox
    jira: Sandbox
    sign_in: Mapping[str, str]

    def group(self, name: str) -> int:
        """The process group of a part."""
        return next(child.process.pid for child in self.processes.children if child.name == name)

    def kill_worker(self) -> None:
        """kill -9 of the worker's whole process group, and a new one in its place."""
        child = next(one for one in self.processes.children if one.name == "worker")
        os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        self.processes.children.remove(child)
        self.processes.start_worker(settings.CELERY_TASK_DEFAULT_QUEUE, self.variables)

    def has_worked_since(self, at: datetime) -> bool:
        """Whether a worker began with something after that moment."""
        return Heartbeat.objects.filter(name="tick", at__gt=at).exists()

    def is_idle(self) -> bool:
        """Whether no web hook is on its way and no ticket is to be read."""
        pending = sum(sandbox.hooks()["delivery"]["pending"] for sandbox in (self.zendesk, self.jira))
        return not pending and not Ticket.objects.filter(read_due_at__isnull=False).exists()

    def calls(self) -> int:
        """Requests that both sandboxes have answered since the counters were reset."""
        return int(self.zendesk.calls()["total"]) + int(self.jira.calls()["total"])


@contextmanager
def prepared(variables: Mapping[str, str]) -> Iterator[Field]:
    """Start everything in the present place and stop it at the end."""
    running = Processes(Path(settings.DATA_DIR) / "log")
    try:
        database.check_broker()
        database.prepare(fresh=True)
        seed.seed_companies("benchmark")
        listener = processes.listen(0)
        port = listener.getsockname()[1]
        children = {
            "zendesk": running.start_sandbox("zendesk", "Zendesk", 0),
            "jira": running.start_sandbox("jira", "Jira", 0),
        }
        environment = {**variables, "PORTAL_BASE_URL": f"http://{processes.HOST}:{port}"}
        running.start_web(listener, environment)
        running.start_worker(settings.CELERY_TASK_DEFAULT_QUEUE, environment)
        companies = {"zendesk": (seed.MERCURI, seed.ZENDESK), "jira": (seed.INFINITY, seed.JIRA)}
        clients = {}
        systems = {}
        for kind, child in children.items():
            company, name = companies[kind]
            systems[kind] = seed.ready_system(company, kind, name, child.sign_in)
            clients[kind] = child.client()
        seed.seed_connection(systems["zendesk"], systems["jira"])
        for kind, system in systems.items():
            address = f"http://{processes.HOST}:{port}" + reverse("hook", args=[system.hook_token])
            # Several at once and in no order, as the vendors send them.
            clients[kind].hooks(url=address, secret=seed.hook_secret_for(system), workers=4)
        # What a new Jira project begins with; the sandbox's own workflow asks for steps that only people know.
        clients["jira"].settings(transitions=simplified_transitions())
        _wait_for_the_worker(running)
        yield Field(running, environment, clients["zendesk"], clients["jira"], children["zendesk"].sign_in)
    finally:
        running.stop()
        database.remove_passing()


def _wait_for_the_worker(running: Processes) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not Heartbeat.objects.filter(name="tick").exists():
        running.check()
        if time.monotonic() > deadline:
            raise processes.Trouble("The worker did not begin to work within a minute.")
        time.sleep(0.1)
