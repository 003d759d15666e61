"""The portal: the product people see.  Owns every page; rules and records belong to the packages below."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
