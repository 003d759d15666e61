"""What staff do with systems: add, change, test, pause; and the one way to open a system's connector.

Credentials are write-only: sealed when they come in, opened only to be handed to the connector.  They are bound to
their system and, by `change_system`, to its address: whoever may change an address must not thereby have a stored
token sent to a host of their choice.
"""

from __future__ import annotations

import secrets as secrets_module
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction

from integrations.canonical import FieldSpec
from integrations.connectors import errors, registry
from integrations.connectors.gate import Gate
from integrations.connectors.protocol import Connector, SettingSpec, TellsFileLimits
from integrations.connectors.wire import is_allowed
from integrations.models import Partner, System, SystemSecret
from integrations.models.systems import place_of
from integrations.runtime.shared_gate import SharedGate
from integrations.secrets import Sealer, SecretUnreadable
from integrations.services import findings
from integrations.services.refusals import NotPossible

# The address has a column of its own; every connector asks for it under this name.
ADDRESS = "base_url"
HOOK_SECRET = "hook_secret"  # noqa: S105  # the name of a row
PREVIOUS_HOOK_SECRET = "hook_secret_previous"  # noqa: S105
# Given to the vendor in a registration that has not succeeded yet.
NEW_HOOK_SECRET = "hook_secret_new"  # noqa: S105
HINT_CHARS = 4


class CredentialsUnreadable(errors.Unauthorized):
    """A stored credential cannot be opened: its key is gone, or it was moved or altered."""

    code = "credentials_unreadable"


@dataclass(frozen=True, slots=True)
class SystemData:
    """What people enter about a system.  `secrets` holds only what was typed: an empty one keeps what is stored."""

    name: str
    base_url: str
    environment: str = System.Environment.SANDBOX
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkup:
    """What came of testing a system, in words for people.  `code` is the handbook's, empty when it answered."""

    is_ok: bool
    message: str
    code: str = ""
    problems: tuple[str, ...] = ()


# --- Opening ---


def open_connector_for(system: System, gate: Gate | None = None) -> Connector:
    """The connector of this system with its settings and credentials.  One query, no call.

    Its calls pass `gate`; without one each of them is taken from the system's budget in the database, by the thread
    that calls.  ConnectorError when a setting is missing or a credential cannot be opened.
    """
    sealer = Sealer(settings.CREDENTIAL_KEYS)
    given = {**system.settings, ADDRESS: system.base_url}
    for secret in SystemSecret.objects.filter(system_id=system.pk).exclude(name__startswith=HOOK_SECRET):
        given[secret.name] = _opened(sealer, secret)
    return registry.open_connector(
        system.kind,
        given,
        timeout_s=settings.SYNC_REQUEST_TIMEOUT_S,
        allowed_private_hosts=frozenset(settings.SYNC_PRIVATE_HOSTS),
        pool_size=max(32, settings.SYNC_CALLS_IN_FLIGHT),
        gate=gate or SharedGate(system.pk),
    )


def open_connector_for_bulk(system: System) -> Connector:
    """The same for work that can wait: it leaves a part of the budget to live work."""
    return open_connector_for(system, SharedGate(system.pk, is_bulk=True))


def hook_secrets(system: System) -> list[str]:
    """The secrets with which a web hook of this system may be signed, the newest first.  One query.

    One that cannot be opened is left out: then its hooks are refused, and polling finds the changes.
    """
    sealer = Sealer(settings.CREDENTIAL_KEYS)
    found = []
    # By name: "hook_secret" comes before "hook_secret_new" and "hook_secret_previous".
    for secret in SystemSecret.objects.filter(system_id=system.pk, name__startswith=HOOK_SECRET).order_by(
        "name"
    ):
        try:
            found.append(sealer.open(secret.place, secret.sealed))
        except SecretUnreadable:
            continue
    return found


def settings_of(kind: str) -> tuple[SettingSpec, ...]:
    """What a system of this kind is asked for besides its address."""
    return tuple(spec for spec in registry.connector_class(kind).settings if spec.name != ADDRESS)


def _opened(sealer: Sealer, secret: SystemSecret) -> str:
    try:
        return sealer.open(secret.place, secret.sealed)
    except SecretUnreadable as error:
        raise CredentialsUnreadable(f"{error} Enter it again.") from error


# --- Adding and changing ---


@transaction.atomic
def add_system(partner: Partner, kind: str, data: SystemData) -> System:
    """Add a partner's ticket tool.  It is not called before it is tested.  NotPossible with the field at fault."""
    system = System(partner=partner, kind=kind, name=data.name.strip(), base_url=_address(data.base_url))
    system.environment = data.environment
    system.settings = _plain_settings(kind, data)
    _require_secrets(kind, set(data.secrets))
    _save(system)
    _seal(system, data.secrets)
    return system


@transaction.atomic
def change_system(system: System, data: SystemData) -> System:
    """Change a system's name, address, settings and, as far as typed, its credentials.

    NotPossible with the field at fault; also when the address leads to another host while a stored credential is
    meant to be kept.
    """
    kept = {name for name in _stored_secrets(system) if not data.secrets.get(name)}
    address = _address(data.base_url)
    if kept and _origin(address) != _origin(
        System.objects.values_list("base_url", flat=True).get(pk=system.pk)
    ):
        label = next(spec.label for spec in settings_of(system.kind) if spec.name in kept)
        raise NotPossible(
            f"The address leads to another host: enter the {label} again.", field=next(iter(sorted(kept)))
        )
    system.name, system.base_url = data.name.strip(), address
    system.environment = data.environment
    system.settings = _plain_settings(system.kind, data)
    _require_secrets(system.kind, {*kept, *data.secrets})
    _save(system, ["name", "base_url", "environment", "settings"])
    _seal(system, data.secrets)
    return system


def _address(text: str) -> str:
    """The address as it is stored; NotPossible for one that would never be called."""
    address = text.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or any(char.isspace() for char in address):
        raise NotPossible("Enter a web address, such as https://example.com.", field=ADDRESS)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise NotPossible(
            "Enter the address alone, without a user, a question mark or a hash.", field=ADDRESS
        )
    is_private = is_allowed(host, port or _USUAL_PORTS[parts.scheme], frozenset(settings.SYNC_PRIVATE_HOSTS))
    if parts.scheme == "http" and not is_private:
        raise NotPossible(
            "Credentials are not sent over plain http: use https. Inside a private network the operator can allow "
            "this host in SYNC_PRIVATE_HOSTS.",
            field=ADDRESS,
        )
    return address


_USUAL_PORTS = {"http": 80, "https": 443}


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.lower()


def _plain_settings(kind: str, data: SystemData) -> dict[str, str]:
    plain = {}
    for spec in settings_of(kind):
        if spec.is_secret:
            continue
        value = data.settings.get(spec.name, "").strip() or spec.default
        if spec.is_required and not value:
            raise NotPossible(f"{spec.label} is missing.", field=spec.name)
        plain[spec.name] = value
    return plain


def _require_secrets(kind: str, present: set[str]) -> None:
    for spec in settings_of(kind):
        if spec.is_secret and spec.is_required and spec.name not in present:
            raise NotPossible(f"{spec.label} is missing.", field=spec.name)


def _stored_secrets(system: System) -> set[str]:
    names = {spec.name for spec in settings_of(system.kind) if spec.is_secret}
    return set(system.secrets.filter(name__in=names).values_list("name", flat=True))


def _save(system: System, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            system.save(update_fields=fields)
    except IntegrityError as error:
        raise NotPossible("This partner has a system of that name already.", field="name") from error


def _seal(system: System, typed: Mapping[str, str]) -> None:
    for name, value in typed.items():
        if value:
            _seal_one(system, name, value)


def _seal_one(system: System, name: str, value: str) -> None:
    sealed = Sealer(settings.CREDENTIAL_KEYS).seal(place_of(system.pk, name), value)
    # A short secret would be half given away by its end, and one that a person chose may end in a word.
    chosen = {spec.name for spec in settings_of(system.kind) if spec.is_chosen}
    hint = value[-HINT_CHARS:] if len(value) >= 4 * HINT_CHARS and name not in chosen else ""
    # A new credential runs out on another day than the one before it.
    SystemSecret.objects.update_or_create(
        system=system, name=name, defaults={"sealed": sealed, "hint": hint, "expires_on": None}
    )


def set_expiry(system: System, name: str, on: date | None) -> bool:
    """Note the last day on which a stored credential holds, None for unknown; whether that is news.

    The reminders follow from it.  A credential that is replaced loses its day.
    """
    stored = SystemSecret.objects.filter(system=system, name=name).first()
    if stored is None or stored.expires_on == on:
        return False
    stored.expires_on = on
    stored.save(update_fields=["expires_on"])
    return True


# --- Testing ---


def test_system(system: System, *, now: datetime) -> Checkup:
    """Sign in, learn who we are and which fields there are, and record it.  Calls the system; may be repeated.

    Success lets a system move again that was stopped for its credentials; one that a person paused stays paused.
    """
    try:
        connector = open_connector_for(system)
        account = connector.check()
        problems = list(account.problems)
        specs: tuple[FieldSpec, ...] = ()
        try:
            specs = connector.fields()
        except errors.ConnectorError as error:
            problems.append(f"Its fields could not be read: {error.message}")
    except errors.ConnectorError as error:
        return _note_failed_test(system, error, now)
    system.account_id, system.account_name = account.id[:200], account.name[:200]
    system.checked_at, system.check_problems = now, problems
    system.failure_code = system.failure_message = ""
    system.failed_at, system.fail_streak, system.paused_until = None, 0, None
    system.account_alias = account.alias[:200]
    changed = ["account_id", "account_alias", "account_name", "checked_at", "check_problems"]
    changed += ["failure_code", "failure_message", "failed_at", "fail_streak", "paused_until"]
    system.save(update_fields=changed)
    if specs:
        findings.take_metadata(system, metadata_of(specs) | files_told(system, connector), now=now)
    # Conditional: somebody may have paused it while the call was under way.
    if System.objects.filter(pk=system.pk, state=System.State.STOPPED).update(state=System.State.ACTIVE):
        system.state = System.State.ACTIVE
    name = f" as {account.name}" if account.name else ""
    return Checkup(True, f"{system} answers, signed in{name}.", problems=tuple(problems))


# Not a test, whatever its name begins with.
test_system.__test__ = False  # type: ignore[attr-defined]


def files_told(system: System, connector: Connector) -> dict[str, dict[str, object]]:
    """What the system says of the files it takes, in the form kept in `System.metadata`.  One call at most.

    Empty where it does not tell; what was known before where it cannot be asked now.
    """
    if not isinstance(connector, TellsFileLimits):
        return {}
    try:
        limits = connector.file_limits()
    except errors.ConnectorError:
        known = system.metadata.get("files")
        return {"files": known} if known else {}
    return {"files": {"max_bytes": limits.max_bytes, "endings": list(limits.endings)}}


def metadata_of(specs: tuple[FieldSpec, ...]) -> dict[str, list[dict[str, object]]]:
    """The JSON form of a system's fields, as kept in `System.metadata`."""
    return {"fields": [{**_plain(spec), **_workflow(spec)} for spec in specs]}


def _plain(spec: FieldSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "label": spec.label,
        "kind": spec.kind.value,
        "values": list(spec.values),
        "max_length": spec.max_length,
        "is_writable": spec.is_writable,
        "is_required": spec.is_required,
        "is_create_only": spec.is_create_only,
    }


def _workflow(spec: FieldSpec) -> dict[str, object]:
    """The steps between the values of a status; nothing for other fields."""
    if not spec.steps and not spec.steps_known:
        return {}
    steps = [{"from": one.start, "to": one.end, "requires": list(one.requires)} for one in spec.steps]
    return {"steps": steps, "steps_known": list(spec.steps_known)}


def _note_failed_test(system: System, error: errors.ConnectorError, now: datetime) -> Checkup:
    system.failure_code, system.failure_message = error.code, error.message[:500]
    system.failed_at, system.checked_at = now, now
    system.save(update_fields=["failure_code", "failure_message", "failed_at", "checked_at"])
    if isinstance(error, errors.Unauthorized):
        active = System.objects.filter(pk=system.pk, state=System.State.ACTIVE)
        if active.update(state=System.State.STOPPED):
            system.state = System.State.STOPPED
    return Checkup(False, error.message, error.code)


# --- Pausing ---


def pause_system(system: System) -> bool:
    """Call the system no more until it is resumed; what changes meanwhile is delivered then.  Whether it did."""
    return _move(system, System.State.ACTIVE, System.State.PAUSED)


def resume_system(system: System) -> bool:
    """Call a paused system again, at once.  Whether it did.

    NotPossible for one that was stopped for its credentials: that takes a test which succeeds.
    """
    if System.objects.filter(pk=system.pk, state=System.State.STOPPED).exists():
        raise NotPossible("It was stopped because its credentials were refused. Test it; it then runs again.")
    return _move(system, System.State.PAUSED, System.State.ACTIVE)


def _move(system: System, before: str, after: str) -> bool:
    moved = System.objects.filter(pk=system.pk, state=before).update(state=after)
    if moved:
        system.state = after
    return bool(moved)


@transaction.atomic
def discard_system(system: System) -> None:
    """Delete a system that nothing ever used, with its credentials; NotPossible for any other."""
    if system.sides.exists() or system.tickets.exists():
        raise NotPossible("A connection uses it, or did, and its tickets' story is kept. Pause it instead.")
    system.delete()


# --- Web hooks ---


@transaction.atomic
def make_hook_secret(system: System) -> str:
    """A new secret for the system's web hooks; returned once and never again.

    The one before it stays valid, so that hooks signed with it are still taken until the other side has changed.
    """
    secret = secrets_module.token_urlsafe(32)
    take_hook_secret(system, secret)
    return secret


@transaction.atomic
def take_hook_secret(system: System, secret: str) -> None:
    """Store the signing secret that the system itself has made; the one before it stays valid."""
    if not secret.strip():
        raise NotPossible("Enter the secret.", field="secret")
    current = SystemSecret.objects.select_for_update().filter(system=system, name=HOOK_SECRET).first()
    if current:
        try:
            previous = Sealer(settings.CREDENTIAL_KEYS).open(current.place, current.sealed)
            _seal_one(system, PREVIOUS_HOOK_SECRET, previous)
        except SecretUnreadable:
            SystemSecret.objects.filter(system=system, name=PREVIOUS_HOOK_SECRET).delete()
    _seal_one(system, HOOK_SECRET, secret.strip())


@transaction.atomic
def prepare_hook_secret(system: System) -> str:
    """A secret for a registration at the vendor; accepted from now on, as hooks may come before the vendor answers.

    The same one until `take_registered_secret`: a registration whose outcome is unknown may have used it.
    """
    stored = SystemSecret.objects.select_for_update().filter(system=system, name=NEW_HOOK_SECRET).first()
    if stored:
        try:
            return Sealer(settings.CREDENTIAL_KEYS).open(stored.place, stored.sealed)
        except SecretUnreadable:
            # Nobody knows it any more; the registration below replaces what was made with it.
            stored.delete()
    secret = secrets_module.token_urlsafe(32)
    _seal_one(system, NEW_HOOK_SECRET, secret)
    return secret


@transaction.atomic
def take_registered_secret(system: System, secret: str) -> None:
    """The vendor signs with this one now; a different one before it stays valid.  May be repeated."""
    SystemSecret.objects.filter(system=system, name=NEW_HOOK_SECRET).delete()
    if hook_secrets(system)[:1] != [secret]:
        take_hook_secret(system, secret)


def drop_previous_hook_secret(system: System) -> bool:
    """Accept the former secret no longer; whether there was one."""
    deleted, _ = SystemSecret.objects.filter(system=system, name=PREVIOUS_HOOK_SECRET).delete()
    return bool(deleted)
