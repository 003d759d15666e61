"""A demo from start to stop: makes everything ready, plays the story, judges it, and stays up or stops."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone
from rich.console import Console

from integrations.connectors.registry import label
from integrations.models import Connection, Heartbeat, LinkedTicket, System
from integrations.sandbox.client import Sandbox, SandboxError
from integrations.sandbox.process import Child as SandboxChild
from integrations.services.refusals import NotPossible
from portal.demo import chain, database, place, processes, report, seed, steps
from portal.demo.chain import Chain
from portal.demo.processes import HOST, Processes, Stopped, Trouble
from portal.demo.stage import NotArrived, Stage
from portal.demo.story import Story
from portal.demo.verdict import judge
from portal.environment import kept_key

START_PATIENCE_S = 60.0
LOOK_AGAIN_S = 0.5
# Kind of sandbox, whose system it stands for, under which name.
SYSTEMS = (("zendesk", seed.MERCURI, seed.ZENDESK), ("jira", seed.INFINITY, seed.JIRA))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for; a port of 0 is a free one."""

    once: bool = False
    fresh: bool = False
    ports: Mapping[str, int] = field(default_factory=lambda: dict(place.PORTS))


@dataclass(slots=True)
class Demo:
    """One demo on this machine."""

    wish: Wish
    out: Console
    folder: Path = field(default_factory=lambda: Path(settings.DATA_DIR))
    address: str = ""

    def run(self) -> int:
        """Everything; returns the exit code.  Trouble when it cannot go on, Stopped when somebody stopped it."""
        running = Processes(self.folder / "log")
        with database.only_demo(self.folder), processes.stoppable():
            try:
                return self._play(*self._start(running))
            except NotArrived:
                # The folder with the logs goes away with the demo.
                self.out.print(running.last_lines(), markup=False, style="dim")
                raise
            except NotPossible as error:
                raise Trouble(f"{error.message} Begin with an empty database: --fresh.") from error
            except (SandboxError, DatabaseError, HTTPException, OSError) as error:
                # More often than not it is because one of them has ended.
                running.check()
                raise Trouble(f"The demo cannot go on: {error}") from error
            finally:
                running.stop()
                database.remove_passing()

    # --- Making ready ---

    def _start(self, running: Processes) -> tuple[Stage, dict[str, SandboxChild]]:
        started_at = timezone.now()
        listener = processes.listen(self.wish.ports["portal"])
        port = listener.getsockname()[1]
        self.address = f"http://{HOST}:{port}"
        database.check_broker()
        children = self._start_sandboxes(running)
        self._fill_database()
        self._start_own(running, listener, children)
        systems = self._connect(children)
        self._send_hooks(systems, children)
        stage = Stage(
            {name: children[name].client() for _kind, _company, name in SYSTEMS},
            running.check,
            report.StoryTable(self.out).row,
        )
        self._await_health(stage, port, started_at)
        return stage, children

    def _start_sandboxes(self, running: Processes) -> dict[str, SandboxChild]:
        children = {}
        for kind, _company, name in (*SYSTEMS, *chain.SYSTEMS):
            children[name] = running.start_sandbox(kind, label(kind), self.wish.ports[kind])
            self._say(f"{name} runs in a sandbox at {children[name].url}")
        return children

    def _fill_database(self) -> None:
        database.prepare(fresh=self.wish.fresh or self.wish.once)
        seed.forget_tickets()
        seed.seed_companies(self.password)
        self._say("The database has its tables, companies, people, agreement and handbook")

    def _start_own(
        self, running: Processes, listener: socket.socket, children: dict[str, SandboxChild]
    ) -> None:
        sandboxes = ",".join(child.url for child in children.values())
        variables = {"PORTAL_BASE_URL": self.address, "SANDBOXES": sandboxes}
        running.start_web(listener, variables)
        running.start_worker(settings.CELERY_TASK_DEFAULT_QUEUE, variables)

    def _connect(self, children: dict[str, SandboxChild]) -> dict[str, System]:
        systems = {
            name: seed.ready_system(company, kind, name, children[name].sign_in, say=self._say)
            for kind, company, name in SYSTEMS
        }
        connection: Connection = seed.seed_connection(systems[seed.ZENDESK], systems[seed.JIRA])
        self._say(f"“{connection}” joins {seed.ZENDESK} and {seed.JIRA} by the rules that ship")
        return systems

    def _send_hooks(self, systems: dict[str, System], children: dict[str, SandboxChild]) -> None:
        for name, system in systems.items():
            sandbox: Sandbox = children[name].client()
            self._send_hook(system, sandbox)
            sandbox.close()

    def _send_hook(self, system: System, sandbox: Sandbox) -> None:
        address = self.address + reverse("hook", args=[system.hook_token])
        sandbox.hooks(url=address, secret=seed.hook_secret_for(system))

    def _await_health(self, stage: Stage, port: int, started_at: datetime) -> None:
        stage.until("the web server is ready", lambda: _answers(port), START_PATIENCE_S)
        self._say(f"The web server answers at {self.address}")
        beats = Heartbeat.objects.filter(name="tick", at__gte=started_at)
        stage.until("the worker ticks", beats.exists, START_PATIENCE_S)
        self._say("The worker ticks")

    @property
    def password(self) -> str:
        """Everybody's password, made at the first start and kept in the demo's folder."""
        return kept_key(self.folder / "password", lambda: f"concord-{secrets.token_hex(4)}")

    # --- Playing ---

    def _play(self, stage: Stage, children: dict[str, SandboxChild]) -> int:
        story = Story(stage)
        if self.wish.once:
            return self._play_and_judge(stage, story, children)
        try:
            self._play_and_judge(stage, story, children)
            story.park()
        except NotArrived as error:
            # Whoever changed rules since the last start may have changed what the story counts on.
            self.out.print(f"[red]{error}[/] The story ends here; with --fresh it begins anew.")
        self._stay_up(stage)
        return 0

    def _play_and_judge(self, stage: Stage, story: Story, children: dict[str, SandboxChild]) -> int:
        report.StoryTable(self.out).head()
        story.play()
        # The systems further along join while the first two come to rest, and are played when those are judged.
        systems = chain.meet({name: child.sign_in for name, child in children.items()})
        for connection in chain.connect(systems):
            self._say(f"“{connection}” carries on what has its label")
        self._say("Waiting until every write has been read back")
        story.settle()
        checks = judge(stage, story)
        for name, system in systems.items():
            stage.sandboxes[name] = children[name].client()
            self._send_hook(system, stage.sandboxes[name])
        checks += Chain(stage, story).play()
        report.show_verdict(self.out, checks)
        return 0 if all(check.holds for check in checks) else 1

    def _stay_up(self, stage: Stage) -> None:
        addresses = {name: sandbox.url for name, sandbox in stage.sandboxes.items()}
        report.show_sign_in(self.out, self.address, self.password, self._worth_a_look(), addresses)
        self.out.print("\nCtrl-C stops everything.")
        try:
            stage.watch(LOOK_AGAIN_S)
        except Stopped:
            self.out.print("\nStopping.")

    def _worth_a_look(self) -> dict[str, str]:
        """Pages with something to see, by what there is to see."""
        tickets = dict(LinkedTicket.objects.values_list("title", "pk"))
        pages = {
            f"“{title}”: {why}": reverse("ticket_detail", args=[tickets[title]])
            for title, why in steps.WORTH_A_LOOK.items()
            if title in tickets
        }
        pages["One change waits for a person; ivan may teach the rules what it means"] = reverse(
            "delivery_list"
        )
        pages["What was kept of the agreement, and what was missed"] = reverse("report_list")
        return {what: self.address + page for what, page in pages.items()}

    def _say(self, text: str) -> None:
        report.progress(self.out, text)


def _answers(port: int) -> bool:
    """Whether the web server can serve: it answers, and sees a database with every migration."""
    link = HTTPConnection(HOST, port, timeout=10)
    try:
        link.request("GET", "/readyz")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()
