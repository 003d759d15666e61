"""Signed documents: anybody can verify them, and nobody can alter them unseen."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from integrations.signatures import NotGenuine, Signer, verified

DOCUMENT = {"ticket": "LT-1", "fields": 14, "equal": True, "title": "注文 “4711”", "events": [1, None]}


def signed() -> dict[str, Any]:
    """A document as it is handed over: through JSON and back."""
    return json.loads(json.dumps(Signer(["first"]).sign("certificate", DOCUMENT)))


def test_a_signature_can_be_verified_with_nothing_but_the_document() -> None:
    document = signed()
    covered = json.dumps(
        ["certificate", DOCUMENT], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    public, value = (base64.b64decode(document["signature"][name]) for name in ("public_key", "value"))

    Ed25519PublicKey.from_public_bytes(public).verify(value, covered)

    assert verified(document) == Signer(["first"]).fingerprints[0] == document["signature"]["fingerprint"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("document", "fields"), 15),
        (("document", "equal"), 1),
        (("document", "more"), ""),
        (("document", "events"), [None, 1]),
        (("kind",), "drill"),
    ],
)
def test_whatever_is_altered_shows(path: tuple[str, ...], value: object) -> None:
    document = signed()
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value

    with pytest.raises(NotGenuine, match="altered"):
        verified(document)


@pytest.mark.parametrize(
    "document", [None, [], "text", {}, {"kind": "x", "document": {}, "signature": {"algorithm": "Ed25519"}}]
)
def test_what_was_never_signed_is_told(document: object) -> None:
    with pytest.raises(NotGenuine, match="not a signed document"):
        verified(document)


def test_an_older_key_is_still_ours_and_a_strangers_is_not() -> None:
    older, both, stranger = Signer(["first"]), Signer(["second", "first"]), Signer(["third"])
    document = older.sign("certificate", DOCUMENT)

    assert (both.is_ours(document), stranger.is_ours(document)) == (True, False)
    assert both.sign("certificate", DOCUMENT)["signature"] != document["signature"]


def test_signing_again_gives_the_same() -> None:
    assert signed() == signed()
    shuffled = dict(reversed(copy.deepcopy(DOCUMENT).items()))
    assert Signer(["first"]).sign("certificate", shuffled)["signature"] == signed()["signature"]


def test_fractions_are_refused_because_programs_write_them_differently() -> None:
    with pytest.raises(ValueError, match="fractions"):
        Signer(["first"]).sign("certificate", {"hours": [1.5]})
