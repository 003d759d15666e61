"""ServiceNow's Batch API: several requests in one, done one after the other, each with its own outcome.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/batch-api.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from integrations.sandbox.servicenow.context import Call
from integrations.sandbox.servicenow.errors import Failed
from integrations.sandbox.wire import REASONS, Request, Response, json_response


def batch(call: Call) -> Response:
    """POST /batch"""
    body = call.body()
    wanted = body.get("rest_requests")
    if not isinstance(wanted, list):
        raise Failed(400, "Invalid batch request", "rest_requests is mandatory")
    done = [_serviced(call, one) for one in wanted]
    return json_response(
        {
            "batch_request_id": str(body.get("batch_request_id", "")),
            "serviced_requests": done,
            "unserviced_requests": [],
        }
    )


def _serviced(call: Call, wanted: Mapping[str, Any]) -> dict[str, Any]:
    response = call.ask(_request(call, wanted))
    told: dict[str, Any] = {
        "id": str(wanted.get("id", "")),
        "body": base64.b64encode(response.body).decode(),
        "status_code": response.status,
        "status_text": REASONS.get(response.status, ""),
        "execution_time": 1,
    }
    if not wanted.get("exclude_response_headers"):
        headers = (("Content-Type", response.content_type), *response.headers)
        told["headers"] = [{"name": name, "value": value} for name, value in headers if value]
    return told


def _request(call: Call, wanted: Mapping[str, Any]) -> Request:
    try:
        body = base64.b64decode(str(wanted.get("body") or ""), validate=True)
    except binascii.Error as error:
        raise Failed(400, "Invalid batch request", "A body is not base64") from error
    outer = call.request.headers
    headers = {
        **{name: outer[name] for name in ("host", "x-forwarded-proto", "authorization") if name in outer},
        "accept": "application/json",
        "content-type": "application/json",
    }
    for one in wanted.get("headers") or []:
        headers[str(one.get("name", "")).lower()] = str(one.get("value", ""))
    path, _, raw_query = str(wanted.get("url", "")).partition("?")
    if not path.startswith("/"):
        path = "/" + path
    return Request(str(wanted.get("method", "GET")).upper(), path, raw_query, headers, body)


ROUTES = (("POST", "/batch", batch),)
