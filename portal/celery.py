"""The Celery application.  Its messages only wake workers up; the queue of record is in the database."""

import os

from celery import Celery

from portal import broker

broker.use_for_files()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("concord")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
