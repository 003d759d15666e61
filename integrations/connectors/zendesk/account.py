"""What the account we sign in with lacks, in sentences for people.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def problems(me: Mapping) -> Iterator[str]:
    """What stands in the way of our work; nothing for an administrator without restrictions."""
    role = me.get("role")
    if role not in ("admin", "agent"):
        yield (
            "The account is no agent in Zendesk: it can read only its own tickets, and its comments are always "
            "public. Make it an administrator."
        )
    elif role != "admin":
        yield (
            "The account is no administrator in Zendesk: it may not read the export of changed tickets, so changes "
            "are noticed only while web hooks arrive."
        )
    if me.get("suspended") is True:
        yield "The account is suspended in Zendesk."
    if me.get("only_private_comments") is True:
        yield "The account may write internal notes only: public comments will not arrive as public."
    if role in ("admin", "agent") and me.get("ticket_restriction"):
        yield f"The account sees only some tickets in Zendesk (restricted to: {me['ticket_restriction']})."
