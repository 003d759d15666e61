"""Encryption of partners' credentials: keys of their own, sealed to the place they belong to.

Imports `cryptography` and nothing of ours.  A sealed text names the place it was made for (system and field); opened
anywhere else it is refused, so that a ciphertext cannot be moved between rows.  Nothing here falls back to plain text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretUnreadable(Exception):
    """A stored credential cannot be opened: its key is gone, or it was moved or altered."""

    code = "credentials_unreadable"


class Sealer:
    """Seals with the first key, opens with any of them, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("CREDENTIAL_KEYS is empty: at least one key is needed to store credentials.")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, place: str, secret: str) -> str:
        """The ciphertext of `secret`, bound to `place`."""
        return self._fernet.encrypt(json.dumps({"place": place, "secret": secret}).encode()).decode()

    def open(self, place: str, sealed: str) -> str:
        """The secret; SecretUnreadable when the key is unknown or the text was sealed for another place."""
        try:
            envelope = json.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as error:
            raise SecretUnreadable("A stored credential cannot be opened with today's keys.") from error
        if envelope.get("place") != place:
            raise SecretUnreadable("A stored credential was made for another place.")
        return envelope["secret"]

    def reseal(self, place: str, sealed: str) -> str:
        """The same secret under the first key; SecretUnreadable as for `open`."""
        return self.seal(place, self.open(place, sealed))
