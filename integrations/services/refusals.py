"""What a service says when it cannot do what it was asked."""

from __future__ import annotations


class NotPossible(Exception):
    """The action makes no sense as things stand.  `message` is for the person who asked, and says what to do.

    `field` names the form's field that the message belongs to; empty when it concerns the whole action.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
