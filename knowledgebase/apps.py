"""The knowledgebase app."""

from django.apps import AppConfig


class KnowledgebaseConfig(AppConfig):
    """Registers the articles of the operations handbook."""

    name = "knowledgebase"
    verbose_name = "Operations handbook"
