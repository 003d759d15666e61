"""Who writes, and finding or making the people of an account."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.sandbox.zendesk.state import Desk, User


@dataclass(frozen=True, slots=True)
class Doing:
    """Who writes, when (the vendor's text), how far the clock is (seconds), and over which channel."""

    actor: User
    at: str
    seconds: float
    channel: str = "api"
    client: str = ""


def user_of(desk: Desk, name: str, email: str, at: str, role: str = "end-user") -> User:
    """The person with this address, made when there is none yet; a person without an address goes by name."""
    if email and (known := desk.users_by_mail.get(email.lower())):
        return known
    if not email:
        known = next((one for one in desk.users.values() if one.name == name and not one.email), None)
        if known:
            return known
    return desk.add_user(name or email.partition("@")[0], email, role, at)
