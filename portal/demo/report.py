"""What the demo prints: what it is doing, the story as a table, the verdict, and where to sign in as whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from portal.demo.seed import PEOPLE
from portal.demo.stage import Row
from portal.demo.verdict import Check

# Time, where, who, after; and the space between two columns.
FIXED_WIDTHS = (8, 15, 9, 6)
GAP = 2


def progress(out: Console, text: str) -> None:
    """One line about what is being done."""
    out.print(f"[dim]·[/] {escape(text)}")


class StoryTable:
    """The story as a table that grows: a row is printed as soon as its step has arrived."""

    names = ("Time", "Where", "Who", "What", "Arrived", "After")

    def __init__(self, out: Console) -> None:
        self._out = out
        # What is left by the columns that are always the same is shared by the two that hold sentences.
        sentence = max(20, (out.width - sum(FIXED_WIDTHS) - GAP * 5) // 2)
        self._widths = (*FIXED_WIDTHS[:3], sentence, sentence, FIXED_WIDTHS[3])

    def head(self) -> None:
        """The names of the columns."""
        self._out.print()
        self._print(self.names, "bold")
        self._out.print("─" * (sum(self._widths) + GAP * 5), style="dim")

    def row(self, row: Row) -> None:
        """One step."""
        after = f"{row.after_s:.1f} s" if row.after_s is not None else ""
        cells = (f"{row.at.astimezone():%H:%M:%S}", row.where, row.who, row.what, row.arrived, after)
        self._print(cells, "")

    def _print(self, cells: Sequence[str], style: str) -> None:
        table = Table(
            box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0), collapse_padding=True
        )
        for name, width in zip(self.names, self._widths, strict=True):
            table.add_column(width=width, justify="right" if name == "After" else "left", style=style)
        table.add_row(*map(escape, cells))
        self._out.print(table)


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


def show_sign_in(
    out: Console, address: str, password: str, worth_a_look: Mapping[str, str], sandboxes: Mapping[str, str]
) -> None:
    """Where to sign in as whom, what to look at first, and where to act as the partners' people."""
    table = Table(title="Sign in as", title_justify="left", header_style="bold")
    for name in ("Name", "Who", "Company", "Role"):
        table.add_column(name)
    for person in PEOPLE:
        table.add_row(person.username, person.name, person.company, str(person.role.label))
    out.print()
    out.print(table)
    out.print(f"Everybody's password: [bold]{escape(password)}[/]")
    out.print(f"\nConcord is at [bold]{address}/[/] (for this machine only). Worth a look, as ines:")
    for what, url in worth_a_look.items():
        out.print(f"  {url}  {escape(what)}", soft_wrap=True)
    out.print("Act as the partners' people in the sandboxes, and watch it arrive on the other side:")
    for name, url in sandboxes.items():
        out.print(f"  {url}/  {escape(name)}")
