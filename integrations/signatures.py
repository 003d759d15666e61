"""Signs what Concord hands over, so that anybody can see later that nobody has altered it.

Imports `cryptography` and nothing of ours.  A signed document is plain JSON: `kind`, `document`, and a `signature`
with the public key in it.  Whoever has the key's fingerprint from the portal can verify it without the portal.
The signature covers the kind and the document as canonical JSON: keys sorted, no white space, UTF-8 (RFC 8785 for the
values that we use: text, whole numbers, truth values, lists and objects; fractions are refused).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "Ed25519"
# Sets these keys apart from whatever else is made of the same secret.
_PURPOSE = b"concord: signatures under documents"


class NotGenuine(Exception):
    """A document that was altered, or that was never signed; the message says which."""


class Signer:
    """Signs with a key made of the first secret; recognises signatures made with any of them."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("Without a secret nothing can be signed.")
        self._keys = [_key_from(secret) for secret in secrets]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of our public keys, the one in use first."""
        return tuple(fingerprint(_raw(key.public_key())) for key in self._keys)

    def sign(self, kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document with its signature.  The same document gives the same signature.

        TypeError when it holds something else than JSON, ValueError when it holds a fraction.
        """
        key = self._keys[0]
        public = _raw(key.public_key())
        value = key.sign(_covered(kind, document))
        return {
            "kind": kind,
            "document": document,
            "signature": {
                "algorithm": ALGORITHM,
                "public_key": base64.b64encode(public).decode(),
                "fingerprint": fingerprint(public),
                "value": base64.b64encode(value).decode(),
            },
        }

    def is_ours(self, signed: Mapping[str, Any]) -> bool:
        """Whether one of our keys signed it; NotGenuine when it was altered."""
        return verified(signed) in self.fingerprints


def verified(signed: object) -> str:
    """The fingerprint of the key that signed this document; NotGenuine when the signature does not fit it."""
    try:
        kind, document, signature = (signed[name] for name in ("kind", "document", "signature"))  # type: ignore[index]
        if signature["algorithm"] != ALGORITHM:
            raise NotGenuine("It is signed in a way that is not known here.")
        public = base64.b64decode(signature["public_key"], validate=True)
        value = base64.b64decode(signature["value"], validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(value, _covered(kind, document))
    except InvalidSignature as error:
        raise NotGenuine("It was altered after it was signed.") from error
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise NotGenuine("It is not a signed document.") from error
    return fingerprint(public)


def fingerprint(public_key: bytes) -> str:
    """How people compare a key: the first 16 bytes of its SHA-256, in groups."""
    digest = hashlib.sha256(public_key).hexdigest()[:32]
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def _key_from(secret: str) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _covered(kind: str, document: object) -> bytes:
    _refuse_fractions(document)
    return json.dumps(
        [kind, document], sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _refuse_fractions(value: object) -> None:
    """Programs write fractions in different ways; then a genuine document would look altered."""
    if isinstance(value, float):
        raise ValueError("A signed document holds no fractions.")
    if isinstance(value, Mapping):
        for one in value.values():
            _refuse_fractions(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _refuse_fractions(one)
