"""Adding, changing, opening and testing systems, and what becomes of their credentials."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet

from integrations.canonical import Account, FieldKind, FieldSpec, FileLimits
from integrations.connectors import errors
from integrations.connectors.zendesk.connector import ZendeskConnector
from integrations.mapping.files import FilePolicy
from integrations.models import System, SystemSecret
from integrations.secrets import Sealer
from integrations.services import systems
from integrations.services.refusals import NotPossible
from integrations.services.systems import SystemData
from tests.factories import make_partner, make_system, mercuri

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOKEN = "zendesk-token-0123456789abcd"


def entered(**values: Any) -> SystemData:
    given = {
        "name": "Mercuri Zendesk",
        "base_url": "https://mercuri.zendesk.com/",
        "settings": {"email": "concord@mercuri.example", "surprise": "left out"},
        "secrets": {"api_token": TOKEN},
    }
    return SystemData(**{**given, **values})


def secret_names(system: System) -> list[str]:
    return list(system.secrets.order_by("name").values_list("name", flat=True))


class FakeConnector:
    """Answers a test as it was told to."""

    def __init__(self, account: Account | Exception, fields: tuple[FieldSpec, ...] | Exception = ()) -> None:
        self.account, self.specs = account, fields

    def check(self) -> Account:
        if isinstance(self.account, Exception):
            raise self.account
        return self.account

    def fields(self) -> tuple[FieldSpec, ...]:
        if isinstance(self.specs, Exception):
            raise self.specs
        return self.specs


class TellingConnector(FakeConnector):
    """One that can be asked which files it takes."""

    limits: FileLimits | Exception = FileLimits(5, (".pdf",))

    def file_limits(self) -> FileLimits:
        if isinstance(self.limits, Exception):
            raise self.limits
        return self.limits


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Any:
    def answer(*args: Any) -> None:
        monkeypatch.setattr(systems, "open_connector_for", lambda system: FakeConnector(*args))

    return answer


def test_a_system_keeps_its_settings_and_seals_its_credentials() -> None:
    system = systems.add_system(mercuri(), "zendesk", entered())

    secret = system.secrets.get()
    assert (system.base_url, system.settings, system.state) == (
        "https://mercuri.zendesk.com",
        {"email": "concord@mercuri.example"},
        "active",
    )
    assert (secret.name, secret.hint, TOKEN in secret.sealed) == ("api_token", "abcd", False)


def test_a_password_that_somebody_chose_leaves_no_hint() -> None:
    system = make_system(kind="servicenow")
    systems._seal_one(system, "password", "a long sentence that ends in a word")

    assert system.secrets.get(name="password").hint == ""


def test_a_short_secret_leaves_no_hint() -> None:
    system = systems.add_system(mercuri(), "zendesk", entered(secrets={"api_token": "short"}))

    assert system.secrets.get().hint == ""


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"settings": {}}, "email", "Mail address of the account is missing."),
        ({"secrets": {}}, "api_token", "API token is missing."),
    ],
)
def test_what_is_required_must_be_there(values: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(NotPossible) as refusal:
        systems.add_system(mercuri(), "zendesk", entered(**values))

    assert (refusal.value.field, refusal.value.message) == (field, sentence)
    assert not System.objects.exists()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mercuri.zendesk.com", "Enter a web address"),
        ("ftp://mercuri.zendesk.com", "Enter a web address"),
        ("https://", "Enter a web address"),
        ("https://[", "Enter a web address"),
        ("https://mercuri.zendesk.com:port", "Enter a web address"),
        ("https://mercuri zendesk.com", "Enter a web address"),
        ("https://me:secret@mercuri.zendesk.com", "Enter the address alone"),
        ("https://mercuri.zendesk.com/?a=b", "Enter the address alone"),
        ("http://mercuri.zendesk.com", "Credentials are not sent over plain http"),
    ],
)
def test_an_address_that_could_not_be_called_is_refused(address: str, sentence: str) -> None:
    with pytest.raises(NotPossible, match=sentence) as refusal:
        systems.add_system(mercuri(), "zendesk", entered(base_url=address))

    assert refusal.value.field == "base_url"


def test_plain_http_is_for_hosts_that_the_operator_allows(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)

    system = systems.add_system(mercuri(), "zendesk", entered(base_url="http://127.0.0.1:9000"))

    assert system.base_url == "http://127.0.0.1:9000"


def test_a_name_is_taken_once_a_partner() -> None:
    systems.add_system(mercuri(), "zendesk", entered())
    systems.add_system(make_partner("Another"), "zendesk", entered())

    with pytest.raises(NotPossible, match="a system of that name already"):
        systems.add_system(mercuri(), "zendesk", entered())


def test_a_connector_opens_with_settings_and_credentials() -> None:
    system = systems.add_system(mercuri(), "zendesk", entered())
    systems.make_hook_secret(system)

    connector = systems.open_connector_for(system)

    assert isinstance(connector, ZendeskConnector)


def test_a_credential_whose_key_is_gone_is_told_as_an_error_of_the_connector(settings: Any) -> None:
    system = systems.add_system(mercuri(), "zendesk", entered())
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(errors.Unauthorized) as refusal:
        systems.open_connector_for(system)

    assert refusal.value.code == "credentials_unreadable"
    assert refusal.value.message == "A stored credential cannot be opened with today's keys. Enter it again."


def test_an_empty_credential_keeps_what_is_stored() -> None:
    system = systems.add_system(mercuri(), "zendesk", entered())
    before = system.secrets.get().sealed

    systems.change_system(system, entered(name="Renamed", secrets={"api_token": ""}))

    system.refresh_from_db()
    assert (system.name, system.secrets.get().sealed) == ("Renamed", before)


def test_a_stored_credential_is_never_sent_to_another_host() -> None:
    system = systems.add_system(mercuri(), "zendesk", entered())

    with pytest.raises(NotPossible) as refusal:
        systems.change_system(system, entered(base_url="https://evil.example", secrets={}))

    assert (refusal.value.field, refusal.value.message) == (
        "api_token",
        "The address leads to another host: enter the API token again.",
    )
    system.refresh_from_db()
    assert system.base_url == "https://mercuri.zendesk.com"


def test_a_new_address_is_taken_with_new_credentials() -> None:
    system = systems.add_system(mercuri(), "zendesk", entered())

    systems.change_system(
        system, entered(base_url="https://m2.zendesk.com", secrets={"api_token": "another-token-0123456789"})
    )

    system.refresh_from_db()
    assert (system.base_url, system.secrets.get().hint) == ("https://m2.zendesk.com", "6789")


def test_a_test_that_succeeds_learns_account_and_fields(answers: Any) -> None:
    system = make_system(
        mercuri(),
        is_tested=False,
        state="stopped",
        failure_code="unauthorized",
        failure_message="No.",
        fail_streak=4,
        failed_at=NOW,
    )
    answers(
        Account("77", "Concord", problems=("The account may not delete tickets.",)),
        (FieldSpec("subject", "Subject", FieldKind.TEXT, max_length=150),),
    )

    tested = systems.test_system(system, now=NOW)

    system.refresh_from_db()
    assert tested == systems.Checkup(
        True, f"{system} answers, signed in as Concord.", problems=("The account may not delete tickets.",)
    )
    assert (system.state, system.failure_code, system.fail_streak, system.failed_at) == (
        "active",
        "",
        0,
        None,
    )
    assert (system.account_id, system.account_name, system.checked_at) == ("77", "Concord", NOW)
    assert system.check_problems == ["The account may not delete tickets."]
    assert system.metadata_at == NOW
    assert system.metadata == {
        "fields": [
            {
                "name": "subject",
                "label": "Subject",
                "kind": "text",
                "values": [],
                "max_length": 150,
                "is_writable": True,
                "is_required": False,
                "is_create_only": False,
            }
        ]
    }


def test_fields_that_cannot_be_read_are_a_problem_and_the_old_ones_stay(answers: Any) -> None:
    system = make_system(mercuri())
    before = system.metadata
    answers(Account("77", "Concord"), errors.Forbidden("The account may not see fields."))

    tested = systems.test_system(system, now=NOW)

    system.refresh_from_db()
    assert tested.problems == ("Its fields could not be read: The account may not see fields.",)
    assert system.metadata == before


def test_refused_credentials_stop_a_system(answers: Any) -> None:
    system = make_system(mercuri())
    answers(errors.Unauthorized("Zendesk does not know the mail address and token."))

    tested = systems.test_system(system, now=NOW)

    system.refresh_from_db()
    assert tested == systems.Checkup(
        False, "Zendesk does not know the mail address and token.", "unauthorized"
    )
    assert (system.state, system.failure_code, system.failed_at, system.checked_at) == (
        "stopped",
        "unauthorized",
        NOW,
        NOW,
    )


def test_an_outage_during_a_test_stops_nothing(answers: Any) -> None:
    system = make_system(mercuri())
    answers(errors.TimedOut("The system did not answer in time."))

    tested = systems.test_system(system, now=NOW)

    system.refresh_from_db()
    assert (tested.is_ok, tested.code, system.state) == (False, "timed_out", "active")


def test_a_paused_system_stays_paused_when_tested(answers: Any) -> None:
    system = make_system(mercuri(), state="paused")
    answers(Account("77", "Concord"))

    systems.test_system(system, now=NOW)

    system.refresh_from_db()
    assert system.state == "paused"


def test_a_system_is_paused_and_resumed() -> None:
    system = make_system(mercuri())

    did = [
        systems.pause_system(system),
        systems.pause_system(system),
        systems.resume_system(system),
        systems.resume_system(system),
    ]

    assert did == [True, False, True, False]


def test_a_stopped_system_is_resumed_by_a_test_only() -> None:
    system = make_system(mercuri(), state="stopped")

    with pytest.raises(NotPossible, match="Test it"):
        systems.resume_system(system)


def test_the_former_hook_secret_stays_valid_until_it_is_dropped() -> None:
    system = make_system(mercuri())
    first = systems.make_hook_secret(system)
    second = systems.make_hook_secret(system)

    assert systems.hook_secrets(system) == [second, first]
    assert [systems.drop_previous_hook_secret(system), systems.drop_previous_hook_secret(system)] == [
        True,
        False,
    ]
    assert systems.hook_secrets(system) == [second]


def test_only_the_last_two_hook_secrets_are_kept() -> None:
    system = make_system(mercuri())
    made = [systems.make_hook_secret(system) for _ in range(3)]

    systems.take_hook_secret(system, "  made-by-the-system-itself  ")

    assert systems.hook_secrets(system) == ["made-by-the-system-itself", made[2]]
    assert secret_names(system) == ["api_token", "hook_secret", "hook_secret_previous"]


def test_a_secret_for_a_registration_stays_the_same_and_valid_until_one_succeeds() -> None:
    system = make_system()
    former = systems.make_hook_secret(system)
    prepared = systems.prepare_hook_secret(system)

    assert systems.prepare_hook_secret(system) == prepared
    assert systems.hook_secrets(system) == [former, prepared]
    systems.take_registered_secret(system, prepared)
    systems.take_registered_secret(system, prepared)

    assert systems.hook_secrets(system) == [prepared, former]
    assert systems.prepare_hook_secret(system) not in (prepared, former)


def test_a_hook_secret_that_cannot_be_opened_is_left_out(settings: Any) -> None:
    system = make_system(mercuri())
    systems.make_hook_secret(system)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    assert systems.hook_secrets(system) == []


def test_a_sealed_secret_opens_only_in_its_own_place(settings: Any) -> None:
    mine, other = make_system(mercuri()), make_system(make_partner())
    sealed = mine.secrets.get().sealed
    SystemSecret.objects.filter(system=other).update(sealed=sealed)

    with pytest.raises(errors.Unauthorized, match="made for another place"):
        systems.open_connector_for(other)
    assert Sealer(settings.CREDENTIAL_KEYS).open(mine.secrets.get().place, sealed) == TOKEN


def test_which_files_a_system_takes_is_kept_with_its_fields_and_outlives_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connector = TellingConnector(Account("7", "Concord"), (FieldSpec("status", "Status", FieldKind.STATUS),))
    monkeypatch.setattr(systems, "open_connector_for", lambda system: connector)
    system = make_system()
    for limits, taken in (
        (FileLimits(5, (".pdf",)), FilePolicy(5, (".pdf",))),
        (errors.Forbidden("No."), FilePolicy(5, (".pdf",))),
        (FileLimits(), FilePolicy()),
    ):
        connector.limits = limits
        systems.test_system(system, now=NOW)
        system.refresh_from_db()
        assert system.takes_files == taken
