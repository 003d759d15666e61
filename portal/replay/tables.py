"""Prints what a replay came to."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from portal.console import console


def show(results: dict[str, Any]) -> None:
    """The counts, the first findings, and the service levels beside the file's own."""
    out = console()
    table = Table(title="What was played and what arrived", show_header=False)
    for label, name in (
        ("incidents", "incidents"),
        ("events", "events"),
        ("linked", "linked"),
        ("equal on both sides", "equal"),
        ("lost", "lost"),
        ("doubled", "doubled"),
        ("out of order", "out_of_order"),
        ("calls per change", "calls_a_change"),
        ("changes a second", "changes_a_second"),
        ("seconds", "seconds"),
        ("kill -9 of the worker", "kills"),
    ):
        table.add_row(label, str(results[name]))
    out.print(table)
    for finding in results["findings"]:
        out.print(f"- {finding}")
    for title, rows in results["service_levels"].items():
        out.print(_levels(title, rows))
    out.print("Everything agrees." if results["agrees"] else "Something does not agree.")


def _levels(title: str, rows: list[dict[str, Any]]) -> Table:
    names = {
        "by_priority": "Hours to resolution, by priority",
        "by_month": "Hours to resolution, by priority and month",
    }
    table = Table(title=names[title], caption="measured / from the file")
    for heading in ("", "incidents", "resolved", "mean", "median", "p90", "difference"):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        measured, expected = row["measured"] or {}, row["expected"]
        counts = [f"{measured.get(name, '-')} / {expected[name]}" for name in ("incidents", "resolved")]
        hours = [
            f"{_hours(measured.get(name))} / {_hours(expected[name])}"
            for name in ("mean_min", "median_min", "p90_min")
        ]
        worst = "counts differ" if row["worst_min"] is None else f"{row['worst_min']:.2f} min"
        table.add_row(" ".join(row["cell"]), *counts, *hours, worst)
    return table


def _hours(minutes: float | None) -> str:
    return "-" if minutes is None else f"{minutes / 60:.4f}"
