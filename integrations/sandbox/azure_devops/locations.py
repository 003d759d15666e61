"""What OPTIONS /{organization}/_apis tells: the id of each resource, its template, and the versions it speaks.

Microsoft's own clients find their addresses there, by ids that never change.
"""

from __future__ import annotations

from typing import Any

_WIT = "{project}/_apis/{area}/{resource}"
_HOOKS = "_apis/{area}/{resource}"
# Id, area, resource, template, the revision of the preview.
_TABLE = (
    ("72c7ddf8-2cdc-4f60-90cd-ab71c14a399b", "wit", "workItems", _WIT + "/{id}", 3),
    ("62d3d110-0047-428c-ad3c-4fe872c91c74", "wit", "workItems", _WIT + "/${type}", 3),
    ("908509b6-4248-4475-a1cd-829139ba419f", "wit", "workItemsBatch", _WIT, 1),
    ("1a9c53f7-f243-4447-b110-35ef023636e4", "wit", "wiql", "{project}/{team}/_apis/{area}/{resource}", 2),
    ("608aac0a-32e1-4493-a863-b9cf4566d257", "wit", "comments",
     "{project}/_apis/{area}/workItems/{workItemId}/{resource}/{commentId}", 4),
    ("49e03b34-3be0-42e3-8a5d-e8dfb88ac954", "wit", "versions",
     "{project}/_apis/{area}/workItems/{workItemId}/comments/{commentId}/{resource}/{version}", 1),
    ("e07b5fa4-1499-494d-a496-64b860fd64ff", "wit", "attachments", _WIT + "/{id}", 3),
    ("6570bf97-d02c-4a91-8d93-3abe9895b1a9", "wit", "updates",
     "{project}/_apis/{area}/workItems/{id}/{resource}/{updateNumber}", 3),
    ("a00c85a5-80fa-4565-99c3-bcd2181434bb", "wit", "revisions",
     "{project}/_apis/{area}/workItems/{id}/{resource}/{revisionNumber}", 3),
    ("f828fe59-dd87-495d-a17c-7a8d6211ca6c", "wit", "workItemRevisions",
     "{project}/_apis/{area}/reporting/{resource}", 2),
    ("b70d8d39-926c-465e-b927-b1bf0e5ca0e0", "wit", "recyclebin", _WIT + "/{id}", 2),
    ("7c8d7a76-4a09-43e8-b5df-bd792f4ac6aa", "wit", "workItemTypes", _WIT + "/{type}", 2),
    ("bd293ce5-3d25-4192-8e67-e8092e879efb", "wit", "fields",
     "{project}/_apis/{area}/workItemTypes/{type}/{resource}/{field}", 3),
    ("7c9d7a76-4a09-43e8-b5df-bd792f4ac6aa", "wit", "states",
     "{project}/_apis/{area}/workItemTypes/{type}/{resource}", 1),
    ("9b9f5734-36c8-415e-ba67-f83b45c31408", "wit", "workItemTypeCategories", _WIT + "/{category}", 2),
    ("b51fd764-e5c2-4b9b-aaf7-3395cf4bdd94", "wit", "fields", _WIT + "/{fieldNameOrRefName}", 3),
    ("a70579d1-f53a-48ee-a5be-7be8659023b9", "wit", "classificationNodes", _WIT, 2),
    ("5a172953-1b41-49d3-840a-33f79c3ce89f", "wit", "classificationNodes", _WIT + "/{structureGroup}/{*path}", 2),
    ("bc15bc60-e7a8-43cb-ab01-2106be3983a1", "wit", "tags", _WIT + "/{tagIdOrName}", 1),
    ("f5d33bc9-5b49-4a3c-a9bd-f3cd46dd2165", "wit", "workItemRelationTypes", _HOOKS + "/{relation}", 2),
    ("fc50d02a-849f-41fb-8af1-0a5216103269", "hooks", "subscriptions", _HOOKS + "/{subscriptionId}", 1),
    ("c7c3c1cf-9e05-4c0d-a425-a0f922c2c6ed", "hooks", "subscriptionsQuery", _HOOKS, 1),
    ("1e83a210-5b53-43bc-90f0-d476a4e5d731", "hooks", "publishers", _HOOKS + "/{publisherId}", 1),
    ("99b44a8a-65a8-4670-8f3e-e7f7842cce64", "hooks", "publishersQuery", _HOOKS, 1),
    ("db4777cd-8e08-4a84-8ba3-c974ea033718", "hooks", "eventTypes",
     "_apis/{area}/publishers/{publisherId}/{resource}/{eventTypeId}", 1),
    ("4301c514-5f34-4f5d-a145-f0ea7b5b7d19", "hooks", "consumers", _HOOKS + "/{consumerId}", 1),
    ("c3428e90-7a69-4194-8ed8-0f153185ee0d", "hooks", "actions",
     "_apis/{area}/consumers/{consumerId}/{resource}/{consumerActionId}", 1),
    ("0c62d343-21b0-4732-997b-017fde84dc28", "hooks", "notifications",
     "_apis/{area}/subscriptions/{subscriptionId}/{resource}/{notificationId}", 1),
    ("1a57562f-160a-4b5c-9185-905e95b39d36", "hooks", "notificationsQuery", _HOOKS, 1),
    ("1139462c-7e27-4524-a997-31b9b73551fe", "hooks", "testNotifications", _HOOKS + "/{notificationId}", 1),
    ("603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{*projectId}", 4),
    ("d30a3dd1-f8ba-442a-b86a-bd0c0c383e59", "core", "teams", "_apis/projects/{projectId}/{resource}/{*teamId}", 3),
    ("7a4d9ee9-3433-4347-b47a-7a80f1cf307e", "core", "teams", "_apis/{resource}", 3),
    ("294c494c-2600-4d7e-b76c-3dd50c3c95be", "core", "members",
     "_apis/projects/{projectId}/teams/{teamId}/{resource}", 2),
    ("00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/{resource}", 1),
    ("e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "ResourceAreas", "_apis/{resource}/{areaId}", 1),
    ("f83735dc-483f-4238-a291-d45f6080a9af", "profile", "profiles", "_apis/{area}/{resource}/{id}", 3),
)  # fmt: skip
AREAS = (
    ("5264459e-e5e0-4bd8-b118-0985e68a4ec5", "wit"),
    ("79134c72-4a58-4b42-976c-04e7115f32bf", "core"),
    ("8ccfef3d-2b87-4e99-8ccb-66e343d2daa8", "profile"),
)


def values() -> list[dict[str, Any]]:
    """The locations as JSON."""
    return [
        {
            "id": id_,
            "area": area,
            "resourceName": resource,
            "routeTemplate": template,
            "resourceVersion": preview,
            "minVersion": "1.0",
            "maxVersion": "7.2",
            "releasedVersion": "0.0" if resource in ("comments", "versions") else "7.1",
        }
        for id_, area, resource, template, preview in _TABLE
    ]
