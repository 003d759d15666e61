"""What every sandboxed vendor offers the server, the control API and the operator's pages."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote

from integrations.sandbox.clock import Clock, RealClock
from integrations.sandbox.faults import FaultBox
from integrations.sandbox.hooks import HookSender, RetryRule
from integrations.sandbox.wire import Request, Response


class Refusal(Exception):
    """An action of the control API cannot be done; the message says why, in words for the engineer who asked."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which tickets to tell: all, or only `ids`; changed at or after `since`; `limit` of them after the id `after`."""

    ids: tuple[str, ...] = ()
    since: str = ""
    after: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """A ticket in the operator's list."""

    id: str
    key: str
    title: str
    status: str
    priority: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A field that the operator's form offers, and its values; no values means free text.

    `labels` are what people call values that say nothing to them.
    """

    name: str
    label: str
    values: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


# An entry of a ticket's history: when, who, and (field, before, after) of each change.
Entry = tuple[str, str, Sequence[tuple[str, str, str]]]

Settings = TypeVar("Settings")


def changed_settings(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """A copy of the frozen settings with some changed; Refusal names what is not known or has the wrong type."""
    current = asdict(settings)  # type: ignore[call-overload]
    known = {one.name for one in fields(settings)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - known):
        raise Refusal(
            "Unknown settings: " + ", ".join(unknown) + ". Known: " + ", ".join(sorted(known)) + "."
        )
    for name, value in values.items():
        if type(value) is not type(current[name]) and not _both_numbers(value, current[name]):
            raise Refusal(f"The setting {name} takes a value like {current[name]!r}.")
    return replace(settings, **values)  # type: ignore[type-var]


def _both_numbers(one: object, other: object) -> bool:
    return (
        isinstance(one, int | float)
        and isinstance(other, int | float)
        and not isinstance(one, bool)
        and not isinstance(other, bool)
    )


class System(ABC):
    """One vendor's system with its tickets, people and rules.

    The server calls everything under `lock`, so that an implementation is ordinary single-threaded code; tests that
    look into it from another thread take the lock too.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    # Where the vendor's people look at a ticket; the operator's page answers at these addresses.
    people_paths: ClassVar[tuple[str, ...]] = ()
    # Whether people can say something that is for their own people only.
    has_internal_comments: ClassVar[bool] = True

    def __init__(self, rule: RetryRule, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or RealClock()
        self.lock = threading.RLock()
        self.faults = FaultBox()
        self.hooks = HookSender(self.faults, rule)
        # Where people reach us; set when the server is bound, and used where no request tells the address.
        self.origin = "http://localhost"

    @abstractmethod
    def reset(self) -> None:
        """Back to an empty system with its first people and settings."""

    def begin_anew(self) -> None:
        """As it was at its start: no tickets, no faults, no web hooks."""
        self.reset()
        self.faults.clear()
        self.hooks.clear()

    @abstractmethod
    def answer(self, request: Request) -> tuple[Response, str]:
        """The vendor's answer to a request, and the route's name for the counters."""

    @abstractmethod
    def refusal(self, status: int, retry_after_s: int) -> Response:
        """An error as this vendor words it, for faults."""

    @abstractmethod
    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Do something as the partner's people would; Refusal when it cannot be done.

        With `"hooks": false` in the action nobody is told.
        """

    @abstractmethod
    def contents(self, page: Page) -> dict[str, Any]:
        """The tickets in a form that can be compared: `{"tickets": [...], "total": n, "after": id or null}`."""

    @abstractmethod
    def hook_settings(self) -> dict[str, Any]:
        """Where web hooks go."""

    @abstractmethod
    def set_hooks(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Send web hooks to `url`, signed with `secret`; an empty `url` ends that."""

    @abstractmethod
    def settings_value(self) -> dict[str, Any]:
        """The vendor's own settings as JSON."""

    @abstractmethod
    def change_settings(self, values: Mapping[str, Any]) -> None:
        """Change some of the vendor's own settings; Refusal when one is not known."""

    @abstractmethod
    def sign_in(self) -> dict[str, str]:
        """What to put into a connection's form: `email`, `token` and so on."""

    @abstractmethod
    def rows(self, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
        """Tickets for the operator's list, newest change first, and how many there are."""

    @abstractmethod
    def history(self, ticket_id: str) -> Sequence[Entry]:
        """A ticket's changes, oldest first."""

    @abstractmethod
    def choices(self, ticket_id: str = "") -> Sequence[Choice]:
        """The fields a person can set, on a new ticket or on this one."""

    @abstractmethod
    def find_id(self, key: str) -> str | None:
        """The id of the ticket that people call `key`."""

    def key_in(self, request: Request) -> str:
        """The ticket that an address among `people_paths` names."""
        return unquote(request.path.rpartition("/")[2])
