"""The deployment checks: each finds its fault, and a proper deployment has none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.checks import CheckMessage

from portal import checks

ROOT = Path(__file__).resolve().parents[2]
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}


@pytest.mark.parametrize(
    ("check", "setting", "value", "found"),
    [
        (checks.check_credential_keys, "CREDENTIAL_KEYS", [], ["portal.E001"]),
        (checks.check_sqlite_is_durable, "DATABASES", {"default": SQLITE}, ["portal.E002"]),
        (
            checks.check_sqlite_is_durable,
            "DATABASES",
            {
                "default": {
                    **SQLITE,
                    "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=NORMAL"},
                }
            },
            ["portal.E002"],
        ),
        (
            checks.check_sqlite_is_durable,
            "DATABASES",
            {"default": {"ENGINE": "django.db.backends.postgresql"}},
            [],
        ),
        (checks.check_private_hosts, "SYNC_PRIVATE_HOSTS", ["10.0.0.0/8", "*"], ["portal.E003"]),
        (checks.check_private_hosts, "SYNC_PRIVATE_HOSTS", ["jira.internal"], []),
        (checks.check_mode, "TEST", True, ["portal.W001"]),
        (checks.check_base_url, "PORTAL_BASE_URL", "http://concord.example", ["portal.W002"]),
        (checks.check_base_url, "PORTAL_BASE_URL", "https://concord.example", []),
        (checks.check_broker, "CELERY_BROKER_URL", "filesystem://", ["portal.I001"]),
        (checks.check_broker, "CELERY_BROKER_URL", "redis://broker/0", []),
    ],
)
def test_each_fault_is_found(
    settings: Any,
    check: Callable[..., list[CheckMessage]],
    setting: str,
    value: object,
    found: list[str],
) -> None:
    # Set behind the fixture's back: changing DATABASES for real would warn, and nothing here connects.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "settings", Changed(settings, {setting: value}))
        messages = check(None)

    assert [message.id for message in messages] == found
    assert all(message.hint for message in messages)


class Changed:
    """The settings with some of them replaced."""

    def __init__(self, settings: Any, changes: dict[str, object]) -> None:
        self._settings = settings
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        return self._changes[name] if name in self._changes else getattr(self._settings, name)


@pytest.mark.skipif((ROOT / ".env").exists(), reason="there is a .env in the project's folder")
def test_a_proper_deployment_has_no_warnings(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": os.urandom(40).hex(),
        "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "concord.example",
        "DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    # Worth knowing, and no fault.
    assert "portal.I001" in done.stderr
