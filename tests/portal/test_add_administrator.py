"""The command that makes the first administrator of an installation."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from portal.access import may
from portal.models import AuditEntry, Membership, User
from tests.factories import PASSWORD, infinity, make_user, mercuri

pytestmark = pytest.mark.django_db


def add(monkeypatch: pytest.MonkeyPatch, username: str, typed: str = "") -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    said = io.StringIO()
    call_command("add_administrator", username, stdout=said)
    return said.getvalue()


def test_a_new_installation_gets_its_first_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    assert add(monkeypatch, "ada", "correct horse battery\n") == "ada is an administrator.\n"

    ada = User.objects.get(username="ada")
    assert ada.check_password("correct horse battery")
    assert may(ada, "full", "members")
    assert [entry.actor_label for entry in AuditEntry.objects.about(ada)] == ["Concord"]


def test_an_account_of_the_integrator_keeps_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    make_user("ines", partner=infinity())

    for _ in range(2):
        add(monkeypatch, "ines")

    ines = User.objects.get(username="ines")
    assert ines.check_password(PASSWORD)
    assert Membership.objects.filter(user=ines).count() == 1


@pytest.mark.parametrize(
    ("username", "typed", "complaint"),
    [
        ("ada", "short\n", "at least 12 characters"),
        ("ada", "\n", "at least 12 characters"),
        ("a b", "correct horse battery\n", "Enter a valid username"),
        ("agent", "", "only the service integrator's own people can have it"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, username: str, typed: str, complaint: str
) -> None:
    make_user("agent", partner=mercuri())
    before = User.objects.count()

    with pytest.raises(CommandError, match=complaint):
        add(monkeypatch, username, typed)

    assert (User.objects.count(), Membership.objects.count()) == (before, 0)
