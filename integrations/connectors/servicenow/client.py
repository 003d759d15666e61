"""ServiceNow's REST interface: one function a question or call.  No rules here, only addresses and shapes.

Questions are `Part`s, so that several can go in one call.  Records stay JSON as ServiceNow gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from integrations.connectors import errors
from integrations.connectors.answers import Answer
from integrations.connectors.http import Http, SizedBody
from integrations.connectors.servicenow import records
from integrations.connectors.servicenow.batch import Batch, Outcome, Part, answered
from integrations.connectors.servicenow.records import quoted

API = "/api/now"
# Rows of a list that are asked for at once.
PAGE_SIZE = 200
# A list that does not end after so many pages is not read on.
MAX_PAGES = 100
# References as their ids alone; times in UTC.
_PLAIN = {"sysparm_display_value": "false", "sysparm_exclude_reference_link": "true"}
_NEXT = re.compile(r'<[^>]*>\s*;\s*rel="?next"?')
MAX_FILE_SIZE, FILE_ENDINGS = "com.glide.attachment.max_size", "glide.attachment.extensions"


# https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
def rows(table: str, query: str, fields: Iterable[str], *, limit: int = PAGE_SIZE, offset: int = 0) -> Part:
    """A page of the records that a query finds; it should say in which order."""
    columns = ",".join(fields)
    params: dict[str, str | int] = {
        "sysparm_query": query,
        "sysparm_fields": columns,
        "sysparm_limit": limit,
        **_PLAIN,
    }
    if offset:
        params["sysparm_offset"] = offset
    return Part(f"{API}/table/{_name(table)}", params)


def one(table: str, sys_id: str, fields: Iterable[str]) -> Part:
    """A record by its id."""
    return Part(_address(table, sys_id), {"sysparm_fields": ",".join(fields), **_PLAIN})


def user(user_name: str) -> Part:
    """A person by user name, every field as kept and as shown to our account."""
    return Part(
        f"{API}/table/sys_user",
        {
            "sysparm_query": f"user_name={quoted(user_name)}",
            "sysparm_fields": "sys_id,user_name,name,email,active,locked_out,time_zone,sys_updated_on",
            "sysparm_display_value": "all",
            "sysparm_limit": 2,
        },
    )


def change(table: str, sys_id: str, values: Mapping[str, str], fields: Iterable[str]) -> Part:
    """A write of these fields; the answer tells `fields` as they are then.  Fields may be set again."""
    return Part(_address(table, sys_id), {"sysparm_fields": ",".join(fields), **_PLAIN}, "PATCH", values)


def new(table: str, values: Mapping[str, str], fields: Iterable[str]) -> Part:
    """A new record.  Must not be repeated blindly."""
    return Part(f"{API}/table/{_name(table)}", {"sysparm_fields": ",".join(fields), **_PLAIN}, "POST", values)


# https://www.servicenow.com/docs/bundle/zurich-platform-administration/page/administer/reference-pages/reference/r_AvailableSystemProperties.html
def file_properties() -> Part:
    """The instance's properties about files: the largest in MB, and the endings that it takes."""
    return rows("sys_properties", f"nameIN{MAX_FILE_SIZE},{FILE_ENDINGS}", ("name", "value"))


# What history is made of

_AUDIT = "fieldname,oldvalue,newvalue,user,sys_created_on,sys_created_by,record_checkpoint".split(",")
_JOURNAL = "sys_id,element,value,sys_created_on,sys_created_by".split(",")


def audit(table: str, sys_id: str, after: int) -> Part:
    """What the audit tells of a record's updates after the one with this number, oldest first."""
    query = f"tablename={_name(table)}^documentkey={_id(sys_id)}"
    if after > 0:
        query += f"^record_checkpoint>{after}"
    return rows("sys_audit", f"{query}^ORDERBYrecord_checkpoint^ORDERBYsys_created_on^ORDERBYsys_id", _AUDIT)


def entries_audit(table: str, sys_id: str) -> Part:
    """What the audit tells of a record's comments and work notes: their order within one second."""
    query = f"tablename={_name(table)}^documentkey={_id(sys_id)}^fieldnameINcomments,work_notes"
    return rows("sys_audit", f"{query}^ORDERBYrecord_checkpoint^ORDERBYsys_id", _AUDIT)


def journal(sys_id: str, since: datetime | None) -> Part:
    """Comments and work notes of a record, oldest first."""
    query = f"element_id={_id(sys_id)}^elementINcomments,work_notes{_since(since)}"
    return rows("sys_journal_field", f"{query}^ORDERBYsys_created_on^ORDERBYsys_id", _JOURNAL)


def own_entries(sys_id: str, element: str, user_name: str) -> Part:
    """The newest comments or work notes that an account wrote on a record, newest first."""
    query = f"element_id={_id(sys_id)}^element={element}^sys_created_by={quoted(user_name)}"
    return rows("sys_journal_field", f"{query}^ORDERBYDESCsys_created_on^ORDERBYsys_id", _JOURNAL, limit=20)


# https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_AttachmentAPI.html
def files(table: str, sys_id: str, since: datetime | None) -> Part:
    """The files on a record, oldest first."""
    query = f"table_name={_name(table)}^table_sys_id={_id(sys_id)}{_since(since)}"
    return _files(query, PAGE_SIZE, 0)


def new_files(tables: Iterable[str], since: datetime, limit: int, offset: int) -> Part:
    """The files that came to any record of these tables, oldest first."""
    names = ",".join(_name(table) for table in tables)
    return _files(f"table_nameIN{names}{_since(since)}", limit, offset)


def _files(query: str, limit: int, offset: int) -> Part:
    params: dict[str, str | int] = {
        "sysparm_query": f"{query}^ORDERBYsys_created_on^ORDERBYsys_id",
        "sysparm_limit": limit,
    }
    return Part(f"{API}/attachment", {**params, "sysparm_offset": offset} if offset else params)


def upload(http: Http, table: str, sys_id: str, name: str, content_type: str, body: SizedBody) -> dict:
    """Add a file, streamed; its record.  Must not be repeated blindly."""
    answer = http.request(
        "POST",
        f"{API}/attachment/file",
        params={"table_name": _name(table), "table_sys_id": _id(sys_id), "file_name": name},
        data=body,
        headers={"Content-Type": content_type},
        expect=(200, 201),
    )
    return records.record(answer)


def file_content(http: Http, sys_id: str, limit_bytes: int) -> AbstractContextManager[Iterator[bytes]]:
    """A file's bytes in chunks."""
    return http.stream(f"{API}/attachment/{_id(sys_id)}/file", limit_bytes=limit_bytes)


# Lists to their end


def has_more(answer: Answer, found: int, part: Part) -> bool:
    """Whether a list goes on after this page.

    The limit counts rows before those that our account may not see are taken out, so that a short or even an empty
    page says nothing: the link does, or the total, and only without both the number of rows.
    """
    if link := answer.headers.get("Link"):
        return _NEXT.search(link) is not None
    limit, offset = int(part.params.get("sysparm_limit", 0)), int(part.params.get("sysparm_offset", 0))
    if (total := records.count(answer.headers.get("X-Total-Count") or "")) >= 0:
        return total > offset + limit
    return found >= limit


def next_page(part: Part) -> Part:
    """The question for the page that follows."""
    limit, offset = int(part.params.get("sysparm_limit", 0)), int(part.params.get("sysparm_offset", 0))
    return Part(part.path, {**part.params, "sysparm_offset": offset + limit})


def whole(batch: Batch, part: Part, outcome: Outcome) -> list[dict]:
    """All records of a list whose first page has been asked for; a call for each further page."""
    found: list[dict] = []
    for _ in range(MAX_PAGES):
        answer = answered(outcome)
        page = records.records(answer)
        found += page
        if not has_more(answer, len(page), part):
            return found
        part = next_page(part)
        (outcome,) = batch.send(part)
    raise errors.Garbled("A list of ServiceNow's did not end.")


def _since(since: datetime | None) -> str:
    return f"^sys_created_on>={records.glide(since)}" if since else ""


def _address(table: str, sys_id: str) -> str:
    return f"{API}/table/{_name(table)}/{_id(sys_id)}"


def _name(table: str) -> str:
    if not records.is_table(table):
        raise errors.Refused("This is no name of a table in ServiceNow.")
    return table


def _id(sys_id: str) -> str:
    if not records.is_sys_id(sys_id):
        raise errors.Gone("This is no id of a record in ServiceNow.")
    return sys_id
