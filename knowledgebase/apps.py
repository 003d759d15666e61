"""The knowledgebase app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class KnowledgebaseConfig(AppConfig):
    """The operations handbook."""

    name = "knowledgebase"
    verbose_name = "Operations handbook"

    def ready(self) -> None:
        """Have the shipped articles loaded after every migration; the receiver needs the models, loaded only now."""
        from knowledgebase.receivers import load_articles

        post_migrate.connect(load_articles, sender=self)
