"""The audit trail: what is written down, what is masked, and that altering it shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction

from portal.audit import Verdict, changed_fields, last_digest, record, verify_chain
from portal.masking import masked
from portal.models import AppendOnlyError, AuditEntry, AuditHead
from tests.factories import make_system, make_user, mercuri

pytestmark = pytest.mark.django_db


@pytest.fixture
def trail() -> list[AuditEntry]:
    """Three entries about one person."""
    user = make_user("subject")
    return [record(None, "changed", user, {"step": [number, number + 1]}) for number in range(3)]


def run(sql: str, *values: object) -> None:
    """Change the database behind the portal's back."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_an_entry_says_who_did_what_to_whom() -> None:
    actor = make_user("ines", first_name="Ines", last_name="Integrator")
    system = make_system(mercuri(), name="Mercuri Zendesk")

    entry = record(actor, "paused", system, {"state": ["active", "paused"]})

    entry.refresh_from_db()
    assert (entry.actor, entry.actor_label, entry.action) == (actor, "Ines Integrator", "paused")
    assert (entry.object_type, entry.object_id) == ("integrations.system", str(system.pk))
    assert entry.object_label == str(system)
    assert entry.changes == {"state": ["active", "paused"]}
    assert entry.partner == mercuri()
    assert list(AuditEntry.objects.about(system)) == [entry]


def test_what_nobody_signed_for_was_the_portal() -> None:
    entries = [record(actor, "swept", mercuri()) for actor in (None, AnonymousUser())]

    assert {(entry.actor, entry.actor_label, entry.partner) for entry in entries} == {
        (None, "Concord", mercuri())
    }


def test_secrets_are_masked_by_their_name_however_deep() -> None:
    changes = {
        "api_token": ["", "abc-123"],
        "settings": {
            "email": "a@b.example",
            "client_secret": "s3",
            "headers": [{"Authorization": "Bearer x"}],
        },
        "ticket_key": "NET-482",
        "password": None,
    }

    entry = record(None, "changed", mercuri(), changes)

    assert entry.changes == {
        "api_token": ["", "•••"],
        "settings": {"email": "a@b.example", "client_secret": "•••", "headers": [{"Authorization": "•••"}]},
        "ticket_key": "NET-482",
        "password": None,
    }


def test_masking_leaves_what_it_was_given_as_it_was() -> None:
    given = {"token": "abc"}

    assert (masked(given), given) == ({"token": "•••"}, {"token": "abc"})


def test_only_what_differs_is_worth_an_entry() -> None:
    before, after = {"name": "A", "state": "active", "gone": 1}, {"name": "B", "state": "active", "new": 2}

    assert changed_fields(before, after) == {"gone": [1, None], "name": ["A", "B"], "new": [None, 2]}


def test_an_entry_is_taken_back_with_the_change_it_speaks_of() -> None:
    record(None, "changed", mercuri())
    before = list(AuditEntry.objects.all())

    with transaction.atomic():
        record(None, "changed", mercuri())
        transaction.set_rollback(True)

    assert list(AuditEntry.objects.all()) == before
    assert verify_chain() == Verdict(checked=len(before))


# --- Append-only ---


def test_the_trail_cannot_be_changed_through_the_models(trail: list[AuditEntry]) -> None:
    attempts = [
        trail[0].save,
        trail[0].delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(action="nothing"),
    ]
    for attempt in attempts:
        with pytest.raises(AppendOnlyError, match="only ever added to"):
            attempt()

    assert verify_chain() == Verdict(checked=3)


def test_an_empty_trail_holds() -> None:
    assert (verify_chain(), last_digest()) == (Verdict(checked=0), "")


def test_a_whole_trail_holds(trail: list[AuditEntry]) -> None:
    assert verify_chain() == Verdict(checked=3)
    assert last_digest() == trail[2].digest
    assert [entry.prev_hash for entry in trail] == ["", trail[0].digest, trail[1].digest]


@pytest.mark.parametrize(
    "column", ["action", "actor_label", "object_id", "object_label", "object_type", "prev_hash", "digest"]
)
def test_a_changed_entry_is_found(trail: list[AuditEntry], column: str) -> None:
    run(f"UPDATE portal_auditentry SET {column} = 'x' WHERE number = 2")

    verdict = verify_chain()
    assert (verdict.holds, verdict.checked, verdict.broken_at) == (False, 1, 2)


def test_changed_facts_are_found(trail: list[AuditEntry]) -> None:
    run("UPDATE portal_auditentry SET changes = %s WHERE number = 2", '{"step": [1, 9]}')

    assert verify_chain() == Verdict(1, 2, "it was changed after it was written")


def test_a_removed_entry_is_found(trail: list[AuditEntry]) -> None:
    run("DELETE FROM portal_auditentry WHERE number = 2")

    assert verify_chain() == Verdict(1, 2, "the entry is missing")


def test_a_cut_tail_is_found(trail: list[AuditEntry]) -> None:
    run("DELETE FROM portal_auditentry WHERE number = 3")

    assert verify_chain() == Verdict(2, 3, "the end of the trail is missing")


def test_a_replaced_end_is_found(trail: list[AuditEntry]) -> None:
    AuditHead.objects.update(digest="0" * 64)

    assert verify_chain() == Verdict(3, 3, "it is not the entry that was written last")


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="the embedded database of the tests has one connection"
)
@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_make_one_chain() -> None:
    partner = mercuri()
    before = AuditEntry.objects.count()

    def write(number: int) -> None:
        try:
            for step in range(5):
                record(None, f"wrote {number}.{step}", partner)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=8) as writers:
        list(writers.map(write, range(8)))

    assert verify_chain() == Verdict(checked=before + 40)
