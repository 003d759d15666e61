"""`manage.py verify FILE`: whether a document that Concord handed over is as it was signed, and by whom."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.signatures import NotGenuine, Signer, verified


class Command(BaseCommand):
    """Verifies a signed record or certificate."""

    help = (
        "Verify a signed document (a drill's record, a link's certificate). Says which key signed it and whether it "
        "is this portal's. Exit code 1 when it was altered, or when the key is not the expected one."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("file", type=Path, help="the document as it was downloaded")
        parser.add_argument("--key", default="", help="the fingerprint that the signer told you")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, verify, and say so."""
        try:
            signed = json.loads(options["file"].read_text())
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(
                "The file is not JSON: it is not a document of Concord's, or it is cut."
            ) from error
        try:
            key = verified(signed)
        except NotGenuine as reason:
            raise CommandError(str(reason)) from reason
        if options["key"] and _plain(options["key"]) != _plain(key):
            raise CommandError(f"It is unaltered, but signed with the key {key}, not with the one you named.")
        ours = key in Signer(settings.CREDENTIAL_KEYS).fingerprints
        whose = "this portal's" if ours else "not this portal's: compare it with what the signer told you"
        self.stdout.write(f"Unaltered: {signed['kind']}, signed with the key {key} ({whose}).")


def _plain(fingerprint: str) -> str:
    return "".join(fingerprint.split()).lower()
