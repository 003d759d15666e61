"""ServiceNow's Table API.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from __future__ import annotations

from integrations.sandbox.servicenow import errors, query, writing
from integrations.sandbox.servicenow.context import Call
from integrations.sandbox.servicenow.paging import cut
from integrations.sandbox.servicenow.state import TASKS, Record
from integrations.sandbox.wire import Response, empty, json_response

DEFAULT_LIMIT = 10_000


def rows(call: Call, table: str) -> Response:
    """GET /table/{table}"""
    name = call.table(table).name
    found = query.run(query.parse(call.request.one("sysparm_query") + _pairs(call, name), name, call.reader),
                      name, call.reader)  # fmt: skip
    page, headers = cut(call.request, found, DEFAULT_LIMIT)
    shown, view = call.shown(), call.view
    told = [view.record(one, shown) for one in page if call.is_visible(one)]
    if not told and call.version == 1:
        raise errors.no_record()
    return json_response({"result": told}, headers=tuple(headers))


def _pairs(call: Call, table: str) -> str:
    """`?number=INC0010001` is a query too."""
    pairs = (
        (name, values[-1])
        for name, values in call.request.query.items()
        if not name.startswith("sysparm_") and call.instance.field(table, name) is not None
    )
    return "".join(f"^{name}={value.replace('^', '^^')}" for name, value in pairs)


def show(call: Call, table: str, id_: str) -> Response:
    """GET /table/{table}/{sys_id}"""
    return json_response({"result": call.view.record(call.record(table, id_), call.shown())})


def create(call: Call, table: str) -> Response:
    """POST /table/{table}"""
    known = call.table(table)
    if not call.may_write(table):
        raise errors.denied("Insert")
    done = writing.insert(call.instance, known, call.sent(table), call.doing())
    call.tell(done.record, call.actor)
    location = f"{call.request.origin}/api/now/table/{table}/{done.record.id}"
    return _written(call, done.record, 201).with_headers(("Location", location))


def update(call: Call, table: str, id_: str) -> Response:
    """PATCH and PUT /table/{table}/{sys_id}: both change only what is named."""
    record = call.record(table, id_)
    if not call.may_write(record.table):
        raise errors.denied("Update")
    if writing.update(call.instance, record, call.sent(record.table), call.doing()).is_change:
        call.tell(record, call.actor)
    return _written(call, record, 200)


def _written(call: Call, record: Record, status: int) -> Response:
    if call.request.headers.get("x-no-response-body", "").lower() == "true":
        return Response(status, b"", "")
    return json_response({"result": call.view.record(record, call.shown())}, status)


def delete(call: Call, table: str, id_: str) -> Response:
    """DELETE /table/{table}/{sys_id}"""
    record = call.record(table, id_)
    if record.table not in TASKS or not call.roles & {"admin", "itil_admin"}:
        raise errors.denied("Delete")
    writing.delete(call.instance, record, call.doing())
    return empty()


ROUTES = (
    ("GET", "/table/{table}", rows),
    ("POST", "/table/{table}", create),
    ("GET", "/table/{table}/{sys_id}", show),
    ("PUT", "/table/{table}/{sys_id}", update),
    ("PATCH", "/table/{table}/{sys_id}", update),
    ("DELETE", "/table/{table}/{sys_id}", delete),
)
