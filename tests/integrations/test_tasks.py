"""Celery's messages carry nothing: no ticket, no text, no secret can be read from a broker or sent twice by it."""

from __future__ import annotations

import inspect

from portal.celery import app


def test_no_task_of_ours_takes_anything_with_it() -> None:
    app.loader.import_default_modules()
    ours = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
    assert {"integrations.tasks.tick", "integrations.tasks.sweep"} <= set(ours)
    taken = {name: list(inspect.signature(task.run).parameters) for name, task in ours.items()}
    assert {name: parameters for name, parameters in taken.items() if parameters} == {}
