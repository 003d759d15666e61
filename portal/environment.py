"""Reads the environment for settings.py: typed, from a file where asked for, and loud about what it cannot read.

Pure but for reading the files that `NAME_FILE` points to.  A message names the variable and never repeats a value
that may be a secret.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}


def flag(name: str, default: bool = False) -> bool:
    """The yes or no in `name`; ImproperlyConfigured for anything else.

    Not `env.bool`, which reads every word it does not know as no: `DEBUG=flase` would be fine, `SECURE=ture` not.
    """
    word = env.str(name, default="1" if default else "0").strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, and it is {word!r}.")
    return word in TRUE_WORDS


def whole(name: str, default: int, at_least: int = 1) -> int:
    """The whole number in `name`; ImproperlyConfigured when it is none, or smaller than `at_least`."""
    text = env.str(name, default=str(default)).strip()
    if not text.lstrip("-").isdecimal() or int(text) < at_least:
        raise ImproperlyConfigured(f"{name} must be a whole number from {at_least} up, and it is {text!r}.")
    return int(text)


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """The comma-separated words in `name`, without the spaces around them."""
    text = env.str(name, default=",".join(default))
    return [word.strip() for word in text.split(",") if word.strip()]


def secret(name: str, default: str | None = None) -> str:
    """The secret in `name`, or in the file that `name`_FILE names; ImproperlyConfigured when there is neither."""
    file_name = env.str(f"{name}_FILE", default="")
    if file_name and env.str(name, default=""):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one of them.")
    if file_name:
        try:
            return Path(file_name).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE names {file_name}, which cannot be read: {error.strerror}."
            ) from error
    found = env.str(name, default=default or "")
    if not found:
        raise ImproperlyConfigured(
            f"{name} is not set; .env.example says what it is for. For a first look start `python3 manage.py demo`."
        )
    return found


def fernet_keys(name: str, default: str | None = None) -> list[str]:
    """The Fernet keys in the secret `name`, comma-separated; ImproperlyConfigured when one of them is none."""
    keys = [key.strip() for key in secret(name, default).split(",") if key.strip()]
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"Key {position} in {name} is not a Fernet key: 32 random bytes in URL-safe base64 are needed."
            ) from error
    return keys


def web_address(name: str, default: str | None = None) -> str:
    """The http or https address in `name`, without the slash at its end; ImproperlyConfigured otherwise."""
    text = env.str(name, default=default or "").strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(
            f"{name} must be an address such as https://concord.example, and it is {text!r}."
        )
    return text


def kept_key(file: Path, make: Callable[[], str]) -> str:
    """The key kept in `file`, made on the first call; only its owner can read it.  Safe when two processes start."""
    if not file.exists():
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(make())
        try:
            # A link, not a rename: of two processes that start together, the second must not replace the key.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()
