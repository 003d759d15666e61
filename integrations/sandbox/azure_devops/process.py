"""The work item types of Microsoft's Agile and Basic processes: states with their categories, and reasons.

https://learn.microsoft.com/azure/devops/boards/work-items/guidance/agile-process-workflow and
https://learn.microsoft.com/azure/devops/boards/work-items/workflow-and-state-categories
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Reasons = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class State:
    """A state; its category is what other systems should look at."""

    name: str
    category: str
    color: str


NEW = State("New", "Proposed", "b2b2b2")
ACTIVE = State("Active", "InProgress", "007acc")
RESOLVED = State("Resolved", "Resolved", "ff9d00")
CLOSED = State("Closed", "Completed", "339933")
REMOVED = State("Removed", "Removed", "ffffff")
TO_DO = State("To Do", "Proposed", "b2b2b2")
DOING = State("Doing", "InProgress", "007acc")
DONE = State("Done", "Completed", "339933")


@dataclass(frozen=True, slots=True)
class ItemType:
    """A work item type: the first state is the one it is created in, unless the creator names another."""

    name: str
    reference: str
    color: str
    states: tuple[State, ...]
    fields: tuple[str, ...]
    reasons: Reasons = field(repr=False)

    def state(self, name: str) -> State | None:
        """The state with this name; capitals do not matter."""
        return next((one for one in self.states if one.name.lower() == name.lower()), None)

    def reasons_for(self, before: str, after: str) -> tuple[str, ...]:
        """The reasons for a change of state, the first of them the one that is set when nobody names one."""
        return tuple(self.reasons.get((before, after), (f"Moved to state {after}",)))


_COMMON = (
    "System.Id",
    "System.Rev",
    "System.Title",
    "System.WorkItemType",
    "System.State",
    "System.Reason",
    "System.AssignedTo",
    "System.TeamProject",
    "System.AreaId",
    "System.AreaPath",
    "System.AreaLevel1",
    "System.NodeName",
    "System.IterationId",
    "System.IterationPath",
    "System.IterationLevel1",
    "System.Description",
    "System.History",
    "System.Tags",
    "System.CommentCount",
    "System.CreatedBy",
    "System.CreatedDate",
    "System.ChangedBy",
    "System.ChangedDate",
    "System.AuthorizedAs",
    "System.AuthorizedDate",
    "System.RevisedDate",
    "System.PersonId",
    "System.Watermark",
    "System.Parent",
    "System.IsDeleted",
    "Microsoft.VSTS.Common.Priority",
    "Microsoft.VSTS.Common.StateChangeDate",
    "Microsoft.VSTS.Common.ActivatedDate",
    "Microsoft.VSTS.Common.ActivatedBy",
    "Microsoft.VSTS.Common.ClosedDate",
    "Microsoft.VSTS.Common.ClosedBy",
)
_RESOLVING = (
    "Microsoft.VSTS.Common.ResolvedDate",
    "Microsoft.VSTS.Common.ResolvedBy",
    "Microsoft.VSTS.Common.ResolvedReason",
)
_FIXED = (
    "Fixed",
    "As Designed",
    "Cannot Reproduce",
    "Copied to Backlog",
    "Deferred",
    "Duplicate",
    "Obsolete",
)
_STOPPED = (
    "Deferred",
    "As Designed",
    "Cannot Reproduce",
    "Copied to Backlog",
    "Duplicate",
    "Obsolete",
)
_REMOVED = ("Removed from the backlog",)

_BUG = ItemType(
    "Bug",
    "Microsoft.VSTS.WorkItemTypes.Bug",
    "CC293D",
    (NEW, ACTIVE, RESOLVED, CLOSED),
    (
        *_COMMON,
        *_RESOLVING,
        "Microsoft.VSTS.TCM.ReproSteps",
        "Microsoft.VSTS.TCM.SystemInfo",
        "Microsoft.VSTS.Common.Severity",
        "Microsoft.VSTS.Common.ValueArea",
        "Microsoft.VSTS.Scheduling.StoryPoints",
    ),
    {
        ("", "New"): ("New", "Build Failure"),
        ("", "Active"): ("New",),
        ("New", "Active"): ("Approved", "Investigate"),
        ("New", "Resolved"): _FIXED,
        ("New", "Closed"): _STOPPED,
        ("Active", "New"): ("Investigation Complete",),
        ("Active", "Resolved"): _FIXED,
        ("Active", "Closed"): _STOPPED,
        ("Resolved", "Active"): ("Not fixed", "Resolved in error", "Test Failed"),
        ("Resolved", "Closed"): ("Verified", *_STOPPED),
        ("Closed", "Active"): ("Regression", "Reactivated"),
        ("Closed", "Resolved"): ("Closed in error",),
    },
)
_USER_STORY = ItemType(
    "User Story",
    "Microsoft.VSTS.WorkItemTypes.UserStory",
    "009CCC",
    (NEW, ACTIVE, RESOLVED, CLOSED, REMOVED),
    (
        *_COMMON,
        *_RESOLVING,
        "Microsoft.VSTS.Common.AcceptanceCriteria",
        "Microsoft.VSTS.Common.ValueArea",
        "Microsoft.VSTS.Common.Risk",
        "Microsoft.VSTS.Scheduling.StoryPoints",
    ),
    {
        ("", "New"): ("New",),
        ("New", "Active"): ("Implementation started",),
        ("New", "Removed"): _REMOVED,
        ("Active", "New"): ("Implementation halted",),
        ("Active", "Resolved"): ("Code complete and unit tests pass",),
        ("Active", "Closed"): ("Acceptance tests pass",),
        ("Active", "Removed"): _REMOVED,
        ("Resolved", "Active"): ("Acceptance tests fail", "Requirements changed"),
        ("Resolved", "Closed"): ("Acceptance tests pass",),
        ("Closed", "Active"): ("Reintroduced in Scope",),
        ("Removed", "New"): ("Reconsidering the User Story",),
    },
)
_TASK = ItemType(
    "Task",
    "Microsoft.VSTS.WorkItemTypes.Task",
    "F2CB1D",
    (NEW, ACTIVE, CLOSED, REMOVED),
    (
        *_COMMON,
        "Microsoft.VSTS.Common.Activity",
        "Microsoft.VSTS.Scheduling.RemainingWork",
        "Microsoft.VSTS.Scheduling.OriginalEstimate",
        "Microsoft.VSTS.Scheduling.CompletedWork",
    ),
    {
        ("", "New"): ("New",),
        ("New", "Active"): ("Work started",),
        ("New", "Closed"): ("Completed", "Cut", "Deferred", "Obsolete"),
        ("New", "Removed"): _REMOVED,
        ("Active", "New"): ("Work stopped",),
        ("Active", "Closed"): ("Completed", "Cut", "Deferred", "Obsolete"),
        ("Active", "Removed"): _REMOVED,
        ("Closed", "Active"): ("Reactivated",),
    },
)
_ISSUE = ItemType(
    "Issue",
    "Microsoft.VSTS.WorkItemTypes.Issue",
    "339947",
    (ACTIVE, CLOSED),
    (*_COMMON, "Microsoft.VSTS.Scheduling.DueDate"),
    {
        ("", "Active"): ("New",),
        ("Active", "Closed"): ("Issue resolved", "Deferred", "Duplicate", "Obsolete"),
        ("Closed", "Active"): ("Issue not resolved", "Reactivated"),
    },
)
_BASIC_REASONS: Reasons = {
    ("", "To Do"): ("Added to backlog",),
    ("To Do", "Doing"): ("Started",),
    ("Doing", "Done"): ("Completed",),
    ("Done", "Doing"): ("Reactivated",),
}
_BASIC_STATES = (TO_DO, DOING, DONE)
_BASIC_ISSUE = ItemType(
    "Issue", "Microsoft.VSTS.WorkItemTypes.Issue", "B4009E", _BASIC_STATES, _COMMON, _BASIC_REASONS
)
_BASIC_TASK = ItemType(
    "Task",
    "Microsoft.VSTS.WorkItemTypes.Task",
    "A4880A",
    _BASIC_STATES,
    (*_COMMON, "Microsoft.VSTS.Common.Activity", "Microsoft.VSTS.Scheduling.RemainingWork"),
    _BASIC_REASONS,
)
PROCESSES: Mapping[str, tuple[ItemType, ...]] = {
    "Agile": (_BUG, _USER_STORY, _TASK, _ISSUE),
    "Basic": (_BASIC_ISSUE, _BASIC_TASK),
}
