"""The engine's durable state in Django's database: SQLite and PostgreSQL.  `django.DjangoStore` is the entrance."""
