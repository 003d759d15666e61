"""Several questions in one call, over ServiceNow's Batch API; one after the other where an instance does not offer it.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/batch-api.html : the
parts are carried out in their order, neither together nor all or none, and the call answers 200 whatever became of
them.

Where a rate limit rule counts calls, a call with parts is taken to cost one for each part besides: the documentation
does not say so, and nothing tells what is left.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from requests.structures import CaseInsensitiveDict

from integrations.connectors import errors
from integrations.connectors.answers import Answer, general_error
from integrations.connectors.http import Http
from integrations.connectors.servicenow.faults import read_error

PATH = "/api/now/v1/batch"
# How long an instance that has no Batch API is not asked for it again.
REFUSED_FOR_S = 3600.0

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Part:
    """One question, or one write with the fields to set."""

    path: str
    params: Params = field(default_factory=dict)
    method: str = "GET"
    body: Mapping[str, object] | None = None

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


# What came of a part: its answer, or why there is none.
Outcome = Answer | errors.ConnectorError


class Batch:
    """Sends parts together.  Thread-safe: what is remembered is one time."""

    def __init__(self, http: Http, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._refused_until = 0.0

    @property
    def host(self) -> str:
        """The instance's own host."""
        return self._http.host

    def send(self, *parts: Part) -> list[Outcome]:
        """What came of each part; one call, or one for each part without the Batch API.

        A refusal of a part is given back in its place.  Unavailable and Unauthorized are raised; but not those of a
        question that goes with a write, for what became of the write has to be told.
        """
        has_write = any(part.is_write for part in parts)
        if len(parts) == 1 or self._clock() < self._refused_until:
            return [self._alone(part, has_write) for part in parts]
        sent_at = time.monotonic()
        calls = 1 + len(parts) if self._http.gate.is_told else 1
        try:
            answer = self._http.request("POST", PATH, json_body=_body(parts), is_write=has_write, calls=calls)
        except errors.Refused:
            # Not offered, or closed to our account: nothing of it was carried out.
            self._refused_until = self._clock() + REFUSED_FOR_S
            return [self._alone(part, has_write) for part in parts]
        self._hear(answer, sent_at, are_counted=calls > 1)
        return self._read(answer, parts, has_write)

    def _hear(self, answer: Answer, sent_at: float, *, are_counted: bool) -> None:
        """Note what the parts tell of limits, and count them where it turns out now that a rule counts."""
        parts = _answers_in(answer)
        told = [self._http.hear(_status(one), _headers(one.get("headers")), sent_at) for one in parts]
        if any(told) and not are_counted:
            self._http.gate.count(len(parts))

    def _alone(self, part: Part, has_write: bool) -> Outcome:
        try:
            return self._http.request(
                part.method,
                part.path,
                params={**part.params},
                json_body=part.body,
                expect=(200, 201),
            )
        except errors.ConnectorError as error:
            return _kept(error, part, has_write)

    def _read(self, answer: Answer, parts: Sequence[Part], has_write: bool) -> list[Outcome]:
        by_id = {str(one.get("id")): one for one in _answers_in(answer)}
        found: list[Outcome] = []
        for number, part in enumerate(parts):
            one = by_id.get(str(number))
            if one is not None:
                found.append(_outcome(one, part, answer, has_write))
            elif part.is_write:
                raise answer.garbled("ServiceNow did not say what became of a write.")
            else:
                # Over the limits of a batch; asked alone it has limits of its own.
                found.append(self._alone(part, has_write))
        return found


def _answers_in(answer: Answer) -> list[dict]:
    """The answers to the parts; Garbled where there is no list of them."""
    served = answer.object().get("serviced_requests")
    if not isinstance(served, list):
        raise answer.garbled("ServiceNow's answer to several questions holds no answers.")
    return [one for one in served if isinstance(one, dict)]


def _status(one: Mapping[str, object]) -> int:
    status = one.get("status_code")
    return status if isinstance(status, int) else 0


def _body(parts: Sequence[Part]) -> dict[str, object]:
    return {
        "batch_request_id": "concord",
        "rest_requests": [_request(str(number), part) for number, part in enumerate(parts)],
    }


def _request(id_: str, part: Part) -> dict[str, object]:
    query = "?" + urlencode(part.params) if part.params else ""
    request: dict[str, object] = {
        "id": id_,
        "method": part.method,
        "url": part.path + query,
        "headers": [{"name": "Accept", "value": "application/json"}],
    }
    if part.body is not None:
        text = json.dumps(part.body, ensure_ascii=False, separators=(",", ":"))
        request["body"] = base64.b64encode(text.encode("utf-8", "replace")).decode()
        request["headers"] = [
            {"name": "Accept", "value": "application/json"},
            {"name": "Content-Type", "value": "application/json"},
        ]
    return request


def _kept(error: errors.ConnectorError, part: Part, has_write: bool) -> errors.ConnectorError:
    """The error as what came of this part; raises it where it concerns all of them."""
    if isinstance(error, errors.Refused) or (has_write and not part.is_write):
        return error
    raise error


def _outcome(one: dict, part: Part, whole: Answer, has_write: bool) -> Outcome:
    status, text = one.get("status_code"), one.get("body")
    if not isinstance(status, int) or isinstance(status, bool):
        return _kept(
            whole.garbled("ServiceNow's answer to several questions lacks a status."), part, has_write
        )
    try:
        body = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return _kept(whole.garbled("A part of ServiceNow's answer could not be read."), part, has_write)
    headers = _headers(one.get("headers"))
    if status in (200, 201):
        return Answer(status, headers, body, part.is_write)
    error = read_error(status, headers, body) or general_error(status, headers, body, part.is_write)
    return _kept(error, part, has_write)


def _headers(values: object) -> Mapping[str, str]:
    pairs = values if isinstance(values, list) else []
    return CaseInsensitiveDict(
        {
            str(one["name"]): str(one.get("value", ""))
            for one in pairs
            if isinstance(one, dict) and "name" in one
        }
    )


def answered(outcome: Outcome) -> Answer:
    """The answer of a part; raises what stood in its way."""
    if isinstance(outcome, errors.ConnectorError):
        raise outcome
    return outcome
