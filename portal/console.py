"""The console that the commands print their tables to."""

from __future__ import annotations

from rich.console import Console

# Where nobody looks at a terminal, in a file or a pipe, tables should not be cut at 80 columns.
WIDTH_ELSEWHERE = 150


def console() -> Console:
    """A console for standard output, as wide as the terminal, or as a log where there is none."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH_ELSEWHERE)
