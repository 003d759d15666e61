"""Holds requests and answers against a vendor's OpenAPI document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import requests

from tests.integrations.sandbox import swagger

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    sent: Any
    status: int
    answered: Any

    @classmethod
    def of(cls, response: requests.Response) -> Exchange:
        """What went over the wire; bodies that are no JSON are None."""
        request = response.request
        sent = (
            request.body
            if (request.headers.get("Content-Type") or "").startswith("application/json")
            else None
        )
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return cls(
            str(request.method),
            urlsplit(str(request.url)).path,
            json.loads(sent) if sent else None,
            response.status_code,
            response.json() if is_json and response.content else None,
        )


class Recorder(requests.Session):
    """A session that keeps every exchange."""

    def __init__(self) -> None:
        super().__init__()
        self._responses: list[requests.Response] = []

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        response = super().send(request, **kwargs)
        self._responses.append(response)
        return response

    @property
    def exchanges(self) -> list[Exchange]:
        """What was sent and answered so far."""
        return [Exchange.of(one) for one in self._responses]


class Document:
    """An OpenAPI 3.0 or Swagger 2.0 document, its schemas made ready for JSON Schema."""

    def __init__(self, path: Path, nullable: frozenset[str] = frozenset()) -> None:
        """`nullable` names properties that may be null wherever they are, though the document says otherwise."""
        document = json.loads(path.read_text())
        if document.get("swagger") == "2.0":
            document = swagger.as_openapi(document)
        self.document = _ready(document, nullable)
        self._patterns = [
            (re.compile("^" + re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + "$"), path)
            for path in sorted(document["paths"], key=lambda one: one.count("{"))
        ]

    def route(self, path: str) -> str | None:
        """The document's name for an address."""
        return next(
            (name for pattern, name in self._patterns if pattern.match(path.removesuffix(".json"))), None
        )

    def problems(self, exchange: Exchange) -> list[str]:
        """What is wrong with an exchange; nothing when the document does not describe it."""
        route = self.route(exchange.path)
        operation = self.document["paths"].get(route, {}).get(exchange.method.lower())
        if operation is None:
            return []
        where = f"{exchange.method} {route}"
        found = []
        body = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {}).get("schema")
        if body is not None and exchange.sent is not None and exchange.status < 400:
            found += self._errors(f"{where} request", body, exchange.sent)
        answer = operation["responses"].get(str(exchange.status))
        if answer is None:
            return (
                found if exchange.status >= 400 else [*found, f"{where}: {exchange.status} is not described"]
            )
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and exchange.answered is not None:
            found += self._errors(f"{where} {exchange.status}", schema, exchange.answered)
        return found

    def _errors(self, where: str, schema: Any, value: Any) -> list[str]:
        validator = jsonschema.Draft202012Validator({**schema, "components": self.document["components"]})
        return [
            f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:160]}"
            for error in validator.iter_errors(value)
        ]


def _ready(value: Any, nullable: frozenset[str]) -> Any:
    """`nullable: true` becomes a type of its own, as JSON Schema knows it."""
    if isinstance(value, list):
        return [_ready(one, nullable) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = ("example", "examples", "discriminator", "nullable")
    ready = {key: _ready(one, nullable) for key, one in value.items() if key not in left_out}
    if isinstance(properties := ready.get("properties"), dict):
        for name in nullable & set(properties):
            properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
    if value.get("nullable") is True:
        return {"anyOf": [ready, {"type": "null"}]}
    return ready


def described(document: Document) -> set[tuple[str, str]]:
    """All methods and paths of the document."""
    paths = document.document["paths"]
    return {
        (method.upper(), path) for path, methods in paths.items() for method in methods if method in _METHODS
    }
