"""The slas app."""

from django.apps import AppConfig


class SlasConfig(AppConfig):
    """Registers agreements, calendars and clocks, and listens to what the synchronisation sees."""

    name = "slas"
    verbose_name = "Service levels"
