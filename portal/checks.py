"""Refuses a deployment that would lose data or leak: each finding has an id and says what to do.

E001 no key for credentials        E002 SQLite that may lose a commit     E003 private hosts wide open
W001 demo or tests in the open     W002 http in PORTAL_BASE_URL           W003 mail password in the clear
I001 broker for one machine        I002 nobody is told by mail
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register

EVERYTHING = {"*", "0.0.0.0/0", "::/0"}


@register(Tags.security)
def check_credential_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Partners' credentials cannot be stored without a key."""
    if settings.CREDENTIAL_KEYS:
        return []
    return [
        Error(
            "CREDENTIAL_KEYS is empty: partners' credentials cannot be encrypted.",
            hint='Make one with `python -c "from cryptography.fernet import Fernet; '
            'print(Fernet.generate_key().decode())"` and keep a copy apart from the database.',
            id="portal.E001",
        )
    ]


@register(Tags.database)
def check_sqlite_is_durable(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The queue is in the database: what was accepted has to survive a power cut."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    options = database.get("OPTIONS", {})
    commands = options.get("init_command", "").lower().replace(" ", "")
    is_durable = "synchronous=full" in commands or "synchronous=extra" in commands
    if is_durable and options.get("transaction_mode") == "IMMEDIATE":
        return []
    return [
        Error(
            "SQLite is set up so that an accepted change can be lost, or a writer can fail instead of waiting.",
            hint="Keep `synchronous=FULL` in init_command and transaction_mode IMMEDIATE, or use PostgreSQL.",
            id="portal.E002",
        )
    ]


@register(Tags.security)
def check_private_hosts(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The list of private hosts is a list of exceptions, not a switch."""
    if not EVERYTHING & set(settings.SYNC_PRIVATE_HOSTS):
        return []
    return [
        Error(
            "SYNC_PRIVATE_HOSTS opens every private address to whoever may add a system.",
            hint="Name the hosts one by one.",
            id="portal.E003",
        )
    ]


@register(Tags.security, deploy=True)
def check_mode(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The demo's settings are for one machine."""
    if not (settings.DEMO or settings.TEST):
        return []
    return [
        Warning(
            "These are the settings of the demo or of the tests.",
            hint="Unset CONCORD_DEMO and CONCORD_TEST, and fill in .env (see .env.example).",
            id="portal.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_base_url(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Web hooks carry signatures and people carry passwords to this address."""
    if urlsplit(settings.PORTAL_BASE_URL).scheme == "https":
        return []
    return [
        Warning(
            "PORTAL_BASE_URL is not https, so that web hooks and passwords travel in the clear.",
            hint="Give the https address under which the portal is reached.",
            id="portal.W002",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_broker(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The file broker serves one machine; that is fine, and worth knowing."""
    if not settings.CELERY_BROKER_URL.startswith("filesystem:"):
        return []
    return [
        Info(
            "The file broker connects processes on one machine.",
            hint="For workers on several machines set CELERY_BROKER_URL to Redis or RabbitMQ, "
            "and DATABASE_URL to PostgreSQL.",
            id="portal.I001",
        )
    ]


@register(Tags.security, deploy=True)
def check_mail_is_encrypted(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The password of the mail account would be readable on the way."""
    if not settings.EMAIL_HOST_USER or settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL:
        return []
    return [
        Warning(
            "The password of the mail account travels in the clear.",
            hint="Set EMAIL_SECURITY to starttls or tls.",
            id="portal.W003",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_mail(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Somebody has to hear of it when the worker or the database dies."""
    if settings.MAIL_IS_SET_UP and settings.ALERT_MAIL_TO:
        return []
    return [
        Info(
            "Nobody is told by mail when Concord itself fails.",
            hint="Set EMAIL_HOST and ALERT_MAIL_TO, and run `manage.py watch` outside of the worker; "
            "or let a monitor of yours ask /health.",
            id="portal.I002",
        )
    ]
