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

from integrations.connectors import registry
from integrations.models import Heartbeat, System, Ticket
from integrations.sandbox.client import Sandbox
from integrations.sandbox.jira.settings import simplified_transitions
from portal.benchmark import existing
from portal.benchmark.work import WORKS, Work
from portal.demo import database, processes, seed
from portal.demo.processes import Processes

READY_WITHIN_S = 60.0


@dataclass(slots=True)
class Field:
    """Everything a run needs."""

    processes: Processes
    variables: Mapping[str, str]
    left: Sandbox
    right: Sandbox
    kinds: tuple[str, str]
    sign_in: Mapping[str, str]

    @property
    def work(self) -> Work:
        """What people do in the left system."""
        return WORKS[self.kinds[0]]

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
        pending = sum(sandbox.hooks()["delivery"]["pending"] for sandbox in (self.left, self.right))
        return not pending and not Ticket.objects.filter(read_due_at__isnull=False).exists()

    def calls(self) -> int:
        """Requests that both sandboxes have answered since the counters were reset."""
        return int(self.left.calls()["total"]) + int(self.right.calls()["total"])


@contextmanager
def prepared(
    variables: Mapping[str, str], kinds: tuple[str, str] = ("zendesk", "jira"), *, existing_tickets: int = 0
) -> Iterator[Field]:
    """Start everything in the present place, the first kind's tickets beginning, and stop it at the end.

    With `existing_tickets` so many linked tickets are there before anything begins.
    """
    running = Processes(Path(settings.DATA_DIR) / "log")
    try:
        database.check_broker()
        database.prepare(fresh=True)
        seed.seed_companies("benchmark")
        listener = processes.listen(0)
        port = listener.getsockname()[1]
        children = [running.start_sandbox(kind, registry.label(kind), 0) for kind in kinds]
        environment = {**variables, "PORTAL_BASE_URL": f"http://{processes.HOST}:{port}"}
        running.start_web(listener, environment)
        running.start_worker(settings.CELERY_TASK_DEFAULT_QUEUE, environment)
        clients: list[Sandbox] = []
        systems: list[System] = []
        for company, kind, child in zip((seed.MERCURI, seed.INFINITY), kinds, children, strict=True):
            label = f"{company.partition(' ')[0]} {registry.label(kind)}"
            systems.append(seed.ready_system(company, kind, label, child.sign_in))
            clients.append(child.client())
        connection = seed.seed_connection(*systems)
        if existing_tickets:
            existing.fill(connection, existing_tickets)
            existing.settle()
        for kind, system, client in zip(kinds, systems, clients, strict=True):
            address = f"http://{processes.HOST}:{port}" + reverse("hook", args=[system.hook_token])
            # Several at once and in no order, as the vendors send them.
            client.hooks(url=address, secret=seed.hook_secret_for(system), workers=4)
            if kind == "jira":
                # What a new Jira project begins with; the sandbox's own workflow asks for steps that only people know.
                client.settings(transitions=simplified_transitions())
            if kind == "zendesk":
                # Its export leaves out the last minute, which is longer than most runs take.
                # It shows the limit of a small plan, but lets all calls through: a limit that does not end would make us
                # wait for the next minute.
                client.settings(incremental_lag_s=0, shown_rate_limit=1_000_000)
        _wait_for_the_worker(running)
        left, right = clients
        yield Field(running, environment, left, right, kinds, children[0].sign_in)
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
