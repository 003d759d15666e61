"""The integrations app."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Registers the models of partners, connections, mappings and tickets."""

    name = "integrations"
    verbose_name = "Integrations"
