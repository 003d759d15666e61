"""What a worker does before its processes part."""

from __future__ import annotations

import gc

from celery.signals import worker_init

from portal.celery import share_what_is_loaded


def test_the_collector_leaves_alone_what_a_worker_loaded_before_its_processes_part() -> None:
    assert share_what_is_loaded in worker_init._live_receivers(None)
    assert gc.get_freeze_count() == 0
    try:
        share_what_is_loaded()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
