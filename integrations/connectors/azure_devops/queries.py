"""Questions in Azure DevOps' query language.  Pure.

https://learn.microsoft.com/azure/devops/boards/queries/wiql-syntax
"""

from __future__ import annotations


def tagged(tag: str) -> str:
    """The work items of the project asked that may have this tag, the oldest first.

    Whether `CONTAINS` goes by whole tags or by their beginnings is not told, so the tags have to be compared afterwards.
    """
    return " ".join(
        (
            "SELECT [System.Id] FROM WorkItems",
            f"WHERE [System.TeamProject] = @project AND [System.Tags] CONTAINS {quoted(tag)}",
            "ORDER BY [System.Id] ASC",
        )
    )


def quoted(text: str) -> str:
    """A text inside the language's quotes."""
    return "'" + text.replace("'", "''") + "'"
