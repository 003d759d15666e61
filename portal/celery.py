"""The Celery application.  Its messages only wake workers up; the queue of record is in the database."""

import gc
import os

from celery import Celery
from celery.signals import worker_init

from portal import broker

broker.use_for_files()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("concord")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def share_what_is_loaded(**_: object) -> None:
    """Let the worker's processes share the memory of what was loaded before they part.

    The collector writes into everything that it looks at, and what is written is shared no more.  So it leaves alone
    what is there by now.
    """
    gc.collect()
    gc.freeze()
