"""Brings the shipped articles up to date whenever the database is, so that no installation is without a handbook."""

from __future__ import annotations

from typing import Any

from django.db import connections

from knowledgebase.models import Article
from knowledgebase.services import load_shipped


def load_articles(using: str, **kwargs: Any) -> None:
    """Load the articles into a database that has the tables for them; migrating back takes the tables away."""
    if using == "default" and Article._meta.db_table in connections[using].introspection.table_names():
        load_shipped()
