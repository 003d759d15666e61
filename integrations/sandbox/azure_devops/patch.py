"""Reading a JSON patch: which fields and links a writer wants to change.  Nothing is written here.

https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.azure_devops import errors
from integrations.sandbox.azure_devops.errors import Improper, Wrong

_OPS = frozenset(("add", "replace", "remove", "test", "move", "copy"))
_INDEXED = re.compile(r"^/relations/(\d+)$", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"^/relations/(\d+)/attributes/(\w+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a patch asks for.  A field's None empties it."""

    tests: list[tuple[str, Any]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    added: list[Mapping[str, Any]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    attributes: list[tuple[int, str, Any]] = field(default_factory=list)


def read(body: Any) -> Wanted:
    """The operations of a patch; Wrong or Improper when they are none."""
    if not isinstance(body, list) or not body or not all(isinstance(one, Mapping) for one in body):
        raise errors.not_a_patch()
    wanted = Wanted()
    for one in body:
        _read_operation(wanted, one)
    return wanted


def _read_operation(wanted: Wanted, one: Mapping[str, Any]) -> None:
    op, path, value = one.get("op"), str(one.get("path", "")), one.get("value")
    op = op.lower() if isinstance(op, str) else ""
    if op not in _OPS or not path.startswith("/"):
        raise errors.not_a_patch()
    if op in ("move", "copy"):
        message = f"The patch operation '{op}' is not supported."
        raise Wrong(message, "PatchOperationFailedException", space=f"{errors.WEB_API}.Patch")
    if op == "test":
        wanted.tests.append((path, value))
        return
    if op == "remove" and value is not None:
        raise Improper("Remove requires Value to be null.")
    if path.lower().startswith("/fields/"):
        wanted.fields[path[8:].replace("~1", "/").replace("~0", "~")] = value
    elif path.lower() == "/relations/-" and op != "remove":
        if not isinstance(value, Mapping):
            raise Improper("Value cannot be null.")
        wanted.added.append(value)
    elif op == "remove" and (indexed := _INDEXED.match(path)):
        wanted.removed.append(int(indexed[1]))
    elif attribute := _ATTRIBUTE.match(path):
        wanted.attributes.append((int(attribute[1]), attribute[2], value))
    else:
        message = f"You must specify a valid field path; '{path}' is none."
        raise Wrong(message, "InvalidPatchFieldNameException", space=f"{errors.WEB_API}.Patch")
