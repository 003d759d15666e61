"""Plays the demo's story: does what people do, and waits each time until it has arrived on the other side."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime

from integrations.models import Delivery, Lane, System, Ticket
from portal.demo import steps
from portal.demo.seed import JIRA, ZENDESK
from portal.demo.stage import Row, Stage, now
from portal.demo.steps import Step

OTHER = {ZENDESK: JIRA, JIRA: ZENDESK}
# So often Jira is asked in vain before the outage ends.
TRIES_IN_VAIN = 2


@dataclass(slots=True)
class Story:
    """The story on a stage.

    `ids` are the tickets by system and title; `marks` are the moments by title and name, at the systems' own times.
    """

    stage: Stage
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    marks: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def play(self) -> None:
        """Everything, from the first complaint to the one that stays open."""
        for step in (*steps.A_WHOLE_LIFE, *steps.BEFORE_THE_OUTAGE):
            self.step(step)
        self.outage()
        for step in (*steps.AFTER_THE_OUTAGE, *steps.STAYS_OPEN):
            self.step(step)

    def step(self, step: Step) -> None:
        """Do it and wait until it has arrived."""
        self._await(step, *self._act(step))

    def _act(self, step: Step) -> tuple[Row, float]:
        at, began = now() - step.ago, time.monotonic()
        # The systems are told the time, so that we know what they should have noted, to the millisecond.
        at = at.replace(microsecond=at.microsecond // 1000 * 1000 if step.where == JIRA else 0)
        action = {"as": step.who, "at": at.isoformat(), **step.action}
        if action["do"] != "create":
            action["ticket"] = self.ids[step.where, step.title]
        (done,) = self.stage.sandboxes[step.where].act(action)
        self.ids[step.where, step.title] = done["ticket"]
        if step.mark:
            self.marks[step.title, step.mark] = at
        return Row(now(), step.where, step.who.partition(" <")[0], step.what), began

    def _await(self, step: Step, row: Row, began: float) -> None:
        if step.arrived is None:
            self.stage.note(replace(row, arrived=step.told))
            return
        there = OTHER[step.where]
        self.stage.until(
            f"what {row.who} does in {row.where} ({row.what}) is in {there}",
            lambda: self._has_arrived(step, there),
        )
        after_s = time.monotonic() - began
        self.stage.note(replace(row, arrived=f"{there}: {step.told}", after_s=after_s))

    def _has_arrived(self, step: Step, there: str) -> bool:
        known = self.ids.get((there, step.title))
        found = self.stage.sandboxes[there].ticket(known) if known else self.stage.find(there, step.title)
        if found is None or step.arrived is None:
            return False
        self.ids[there, step.title] = found["id"]
        return bool(step.arrived(found))

    # --- The outage ---

    def outage(self) -> None:
        """Jira is down, Mercuri goes on working, Jira is back."""
        jira = self.stage.sandboxes[JIRA]
        jira.faults(down=True, down_as="503")
        self.stage.note(Row(now(), JIRA, "–", "is down: answers everything with 503"))
        begun = [(step, *self._act(step)) for step in steps.DURING_THE_OUTAGE]
        count = self.stage.until("Concord keeps what Jira cannot take", self._kept)
        self.stage.note(Row(now(), "Concord", "–", f"keeps {count} changes in their order and tries again"))
        jira.faults(down=False)
        self.stage.note(Row(now(), JIRA, "–", "is back"))
        for step, row, began in begun:
            self._await(step, row, began)

    def _kept(self) -> int:
        """How many changes wait for Jira, once all of them do and Jira was asked in vain; otherwise 0."""
        waiting = Delivery.objects.waiting().filter(lane__system__name=JIRA)
        # The ticket itself is there; its answer may still be on the way into our records.
        waiting = waiting.exclude(operation=Delivery.Op.CREATE)
        in_vain = System.objects.filter(name=JIRA, fail_streak__gte=TRIES_IN_VAIN).exists()
        count = waiting.count()
        return count if in_vain and count >= len(steps.DURING_THE_OUTAGE) else 0

    # --- Afterwards ---

    def settle(self) -> None:
        """Wait until nothing is on its way any more: no delivery, no ticket to be read, no web hook."""
        self.stage.until("everything has arrived and was read back", self._is_settled)

    def _is_settled(self) -> bool:
        hooks = (one.hooks()["delivery"]["pending"] for one in self.stage.sandboxes.values())
        return (
            not any(hooks)
            and not Delivery.objects.waiting().exists()
            and not Ticket.objects.filter(read_due_at__isnull=False).exists()
        )

    def park(self) -> None:
        """A fourth complaint meets a status that no rule knows, so that the queue has something for a person."""
        for step in steps.BEFORE_IT_PARKS:
            self.step(step)
        jira = self.stage.sandboxes[JIRA]
        settings = jira.settings()
        if steps.NEW_STATUS not in [one["name"] for one in settings["statuses"]]:
            new = {"id": "10003", "name": steps.NEW_STATUS, "category": "indeterminate"}
            jira.settings(statuses=[*settings["statuses"], new])
        row, _ = self._act(steps.WHAT_PARKS)
        self.stage.until(
            "the change waits for a person, or has arrived",
            lambda: Lane.objects.parked().exists() or self._is_settled(),
        )
        is_parked = Lane.objects.parked().exists()
        # Who has looked after it in the demo before this one has taught the rules what it means.
        told = steps.WHAT_PARKS.told if is_parked else "a rule says what it means by now"
        self.stage.note(replace(row, arrived=told))
