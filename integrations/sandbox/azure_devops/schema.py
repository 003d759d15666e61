"""The fields of work items: reference name, what people call it, its type and what it may hold.

https://learn.microsoft.com/azure/devops/boards/work-items/guidance/work-item-field
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.azure_devops.process import PROCESSES, ItemType
from integrations.sandbox.azure_devops.settings import AzureDevOpsSettings


@dataclass(frozen=True, slots=True)
class Field:
    """One field.  `values` are all that it takes, if there are any; `default` is what a new work item has."""

    reference: str
    name: str
    type: str
    read_only: bool = False
    values: tuple[Any, ...] = ()
    default: Any = None

    @property
    def is_identity(self) -> bool:
        """Whether it names a person; the vendor calls the type of such fields string and says so beside it."""
        return self.type == "identity"


def _fields(type_: str, names: Mapping[str, str], *, read_only: bool = False) -> dict[str, Field]:
    return {reference: Field(reference, name, type_, read_only) for reference, name in names.items()}


_COMMON = "Microsoft.VSTS.Common."
_SCHEDULING = "Microsoft.VSTS.Scheduling."
_TCM = "Microsoft.VSTS.TCM."
_KNOWN: Mapping[str, Field] = {
    **_fields(
        "integer",
        {
            "System.Id": "ID",
            "System.Rev": "Rev",
            "System.AreaId": "Area ID",
            "System.IterationId": "Iteration ID",
            "System.PersonId": "Person ID",
            "System.Watermark": "Watermark",
            "System.CommentCount": "Comment Count",
            "System.Parent": "Parent",
        },
        read_only=True,
    ),
    **_fields(
        "string",
        {
            "System.WorkItemType": "Work Item Type",
            "System.TeamProject": "Team Project",
            "System.NodeName": "Node Name",
            "System.AreaLevel1": "Area Level 1",
            "System.IterationLevel1": "Iteration Level 1",
        },
        read_only=True,
    ),
    **_fields(
        "dateTime",
        {
            "System.CreatedDate": "Created Date",
            "System.ChangedDate": "Changed Date",
            "System.AuthorizedDate": "Authorized Date",
            "System.RevisedDate": "Revised Date",
            _COMMON + "StateChangeDate": "State Change Date",
            _COMMON + "ActivatedDate": "Activated Date",
            _COMMON + "ResolvedDate": "Resolved Date",
            _COMMON + "ClosedDate": "Closed Date",
        },
        read_only=True,
    ),
    **_fields(
        "identity",
        {
            "System.CreatedBy": "Created By",
            "System.ChangedBy": "Changed By",
            "System.AuthorizedAs": "Authorized As",
            _COMMON + "ActivatedBy": "Activated By",
            _COMMON + "ResolvedBy": "Resolved By",
            _COMMON + "ClosedBy": "Closed By",
        },
        read_only=True,
    ),
    **_fields("boolean", {"System.IsDeleted": "Is Deleted"}, read_only=True),
    **_fields(
        "string",
        {
            "System.Title": "Title",
            "System.State": "State",
            "System.Reason": "Reason",
            _COMMON + "ResolvedReason": "Resolved Reason",
        },
    ),
    **_fields("identity", {"System.AssignedTo": "Assigned To"}),
    **_fields("treePath", {"System.AreaPath": "Area Path", "System.IterationPath": "Iteration Path"}),
    **_fields("plainText", {"System.Tags": "Tags"}),
    **_fields("history", {"System.History": "History"}),
    **_fields(
        "html",
        {
            "System.Description": "Description",
            _TCM + "ReproSteps": "Repro Steps",
            _TCM + "SystemInfo": "System Info",
            _COMMON + "AcceptanceCriteria": "Acceptance Criteria",
        },
    ),
    **_fields("dateTime", {_SCHEDULING + "DueDate": "Due Date"}),
    **_fields(
        "double",
        {
            _SCHEDULING + "StoryPoints": "Story Points",
            _SCHEDULING + "RemainingWork": "Remaining Work",
            _SCHEDULING + "OriginalEstimate": "Original Estimate",
            _SCHEDULING + "CompletedWork": "Completed Work",
        },
    ),
    _COMMON + "Priority": Field(_COMMON + "Priority", "Priority", "integer", values=(1, 2, 3, 4), default=2),
    _COMMON + "Severity": Field(
        _COMMON + "Severity",
        "Severity",
        "string",
        values=("1 - Critical", "2 - High", "3 - Medium", "4 - Low"),
        default="3 - Medium",
    ),
    _COMMON + "ValueArea": Field(
        _COMMON + "ValueArea",
        "Value Area",
        "string",
        values=("Architectural", "Business"),
        default="Business",
    ),
    _COMMON + "Risk": Field(_COMMON + "Risk", "Risk", "string", values=("1 - High", "2 - Medium", "3 - Low")),
    _COMMON + "Activity": Field(
        _COMMON + "Activity",
        "Activity",
        "string",
        values=("Deployment", "Design", "Development", "Documentation", "Requirements", "Testing"),
    ),
}


class Schema:
    """The types and fields of one project, found by reference name or by what people call them."""

    def __init__(self, settings: AzureDevOpsSettings) -> None:
        self.types = PROCESSES[settings.process]
        custom = {one["name"]: _custom(one) for one in settings.custom_fields}
        self.fields: dict[str, Field] = {**_KNOWN, **custom}
        self._by_name = {one.name.lower(): one for one in self.fields.values()}
        self._by_name |= {one.reference.lower(): one for one in self.fields.values()}
        self._types_of = {one["name"]: one.get("types") or [] for one in settings.custom_fields}

    def type(self, name: str) -> ItemType | None:
        """The work item type by name or reference name; capitals do not matter."""
        wanted = name.lower()
        return next((one for one in self.types if wanted in (one.name.lower(), one.reference.lower())), None)

    def find(self, name: str) -> Field | None:
        """A field by either name; capitals do not matter."""
        return self._by_name.get(name.lower())

    def has(self, item_type: ItemType, field: Field) -> bool:
        """Whether work items of this type have the field."""
        if field.reference in self._types_of:
            types = self._types_of[field.reference]
            return not types or item_type.name in types
        return field.reference in item_type.fields

    def fields_of(self, item_type: ItemType) -> list[Field]:
        """The fields of a type."""
        return [one for one in self.fields.values() if self.has(item_type, one)]


def _custom(one: Mapping[str, Any]) -> Field:
    return Field(one["name"], one["label"], one["type"], False, tuple(one.get("values") or ()))
