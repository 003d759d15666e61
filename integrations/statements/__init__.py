"""Statements that Django writes once and that run many times with other values.

Building a query costs the ORM several times what the database needs to answer it, and the engine asks the same few
questions hundreds of times a second.  Here a query is still described by the ORM, but turned into SQL only once for
each shape; after that a run binds values and converts rows.  On PostgreSQL the server prepares it as well.
"""

from integrations.statements.questions import Order, Question
from integrations.statements.rows import insert_many, insert_new, update_many, upsert_many

__all__ = ["Order", "Question", "insert_many", "insert_new", "update_many", "upsert_many"]
