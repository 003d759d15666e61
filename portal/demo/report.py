"""What the demo prints: one line a step while it plays, then the table, the verdict, and where to sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from portal.demo.seed import PEOPLE
from portal.demo.stage import Row
from portal.demo.verdict import Check

# Where nobody looks at a terminal, in a log, lines should not be broken at 80.
LOG_WIDTH = 150


def console() -> Console:
    """A console for standard output."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=LOG_WIDTH)


def progress(out: Console, text: str) -> None:
    """One line about what is being done."""
    out.print(f"[dim]·[/] {escape(text)}")


def show_step(out: Console, row: Row) -> None:
    """One line of the story, as it happens."""
    after = f" [dim]({_seconds(row.after_s)})[/]" if row.after_s is not None else ""
    arrived = f" → {escape(row.arrived)}{after}" if row.arrived else ""
    who = "" if row.who == "–" else f" {escape(row.who)}"
    out.print(
        f"[dim]{row.at.astimezone():%H:%M:%S}[/] [bold]{escape(row.where)}[/]{who} {escape(row.what)}{arrived}"
    )


def show_story(out: Console, rows: Sequence[Row]) -> None:
    """The whole story as a table."""
    table = Table(title="What happened", title_justify="left", header_style="bold")
    for name in ("Time", "Where", "Who", "What", "Arrived", "After"):
        table.add_column(name, justify="right" if name == "After" else "left")
    for row in rows:
        after = _seconds(row.after_s) if row.after_s is not None else ""
        cells = (row.where, row.who, row.what, row.arrived)
        table.add_row(f"{row.at.astimezone():%H:%M:%S}", *map(escape, cells), after)
    out.print()
    out.print(table)


def show_verdict(out: Console, checks: Sequence[Check]) -> None:
    """Every check, and the verdict over all."""
    out.print("\n[bold]Verdict[/]")
    for check in checks:
        mark = "[green]✓[/]" if check.holds else "[red]✗[/]"
        out.print(f"{mark} {escape(check.question)}")
        for sentence in check.found:
            out.print(f"    [red]{escape(sentence)}[/]")
    failed = sum(not check.holds for check in checks)
    if failed:
        out.print(f"[bold red]{failed} of {len(checks)} checks failed.[/]")
    else:
        out.print(f"[bold green]All {len(checks)} checks hold.[/]")


def show_sign_in(out: Console, address: str, password: str, sandboxes: Mapping[str, str]) -> None:
    """Where to sign in as whom, and where to act as the partners' people."""
    table = Table(title="Sign in as", title_justify="left", header_style="bold")
    for name in ("Name", "Who", "Company", "Role"):
        table.add_column(name)
    for person in PEOPLE:
        table.add_row(person.username, person.name, person.company, str(person.role.label))
    out.print()
    out.print(table)
    out.print(f"Everybody's password: [bold]{escape(password)}[/]")
    out.print(f"\nConcord is at [bold]{address}/[/]  (this machine only)")
    for name, url in sandboxes.items():
        out.print(f"{escape(name)} (sandbox): {url}/  to act there as its people")


def _seconds(after_s: float) -> str:
    return f"{after_s:.1f} s"
