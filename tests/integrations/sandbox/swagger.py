"""Swagger 2.0 documents, as Microsoft publishes them, told as OpenAPI 3.0: only what is needed to hold JSON against."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete", "head")
# The document calls a JSON patch an object and the values in it objects; https://www.rfc-editor.org/rfc/rfc6902
_DEFECTS: dict[str, Any] = {
    "JsonPatchDocument": {"type": "array", "items": {"$ref": "#/components/schemas/JsonPatchOperation"}},
    "JsonPatchOperation": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
        "additionalProperties": False,
    },
}


def as_openapi(document: dict) -> dict:
    """The document with bodies, answers and references in the places that OpenAPI 3.0 has for them."""
    document = _moved(document)
    schemas = {**document.get("definitions", {}), **_DEFECTS}
    paths: dict[str, dict] = {}
    for path, methods in itertools.chain(document["paths"].items(), document.get("x-ms-paths", {}).items()):
        # An address with a question mark is the same one, asked with other parameters.
        for name in _spelt(path.partition("?")[0], methods):
            for method in _METHODS:
                if method in methods:
                    operation = _operation(methods[method])
                    known = paths.setdefault(name, {}).get(method)
                    paths[name][method] = _joined(known, operation) if known else operation
    return {"openapi": "3.0.0", "paths": paths, "components": {
        "schemas": schemas, "parameters": document.get("parameters", {})
    }}  # fmt: skip


def _spelt(path: str, methods: dict) -> Iterator[str]:
    """A path, and the path without those parts that its parameters say are not required."""
    optional = {
        f"/{{{one['name']}}}"
        for operation in methods.values()
        if isinstance(operation, dict)
        for one in operation.get("parameters", ())
        if one.get("in") == "path" and one.get("x-ms-required") is False
    }
    ordered = sorted(optional, key=path.find)
    for count in range(len(ordered) + 1):
        for left_out in itertools.combinations(ordered, count):
            spelt = path
            for part in left_out:
                spelt = spelt.replace(part, "", 1)
            yield spelt


def _operation(operation: dict) -> dict:
    parameters = [one for one in operation.get("parameters", ()) if one.get("in") != "body"]
    found: dict[str, Any] = {"parameters": parameters, "responses": {}}
    for one in operation.get("parameters", ()):
        if one.get("in") == "body":
            kind = next(iter(operation.get("consumes", ())), "application/json")
            found["requestBody"] = {"content": {kind: {"schema": one.get("schema", {})}}}
    for status, answer in operation.get("responses", {}).items():
        content = {"application/json": {"schema": answer["schema"]}} if "schema" in answer else {}
        found["responses"][status] = {**answer, "content": content}
    return found


def _joined(known: dict, other: dict) -> dict:
    """Two descriptions of one address: any of the parameters, either of the answers."""
    names = {one.get("name") for one in known["parameters"]}
    more = [one for one in other["parameters"] if "name" in one and one["name"] not in names]
    responses = dict(known["responses"])
    for status, answer in other["responses"].items():
        both = [
            one["content"].get("application/json", {}).get("schema", {})
            for one in (responses.get(status, answer), answer)
        ]
        responses[status] = {"content": {"application/json": {"schema": {"anyOf": both}}}}
    return {**known, "parameters": [*known["parameters"], *more], "responses": responses}


def _moved(value: Any) -> Any:
    if isinstance(value, list):
        return [_moved(one) for one in value]
    if not isinstance(value, dict):
        return value
    moved = {key: _moved(one) for key, one in value.items()}
    if isinstance(reference := moved.get("$ref"), str):
        reference = reference.replace("#/definitions/", "#/components/schemas/")
        moved["$ref"] = reference.replace("#/parameters/", "#/components/parameters/")
    return moved
