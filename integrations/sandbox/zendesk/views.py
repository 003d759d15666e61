"""Zendesk's JSON for what the desk holds.  Absolute addresses begin with the origin the client used."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from integrations.sandbox.zendesk.state import (
    BRAND_ID,
    CUSTOM_STATUS_IDS,
    FORM_ID,
    GROUP_ID,
    Audit,
    Comment,
    Desk,
    File,
    Ticket,
    User,
    Webhook,
)

_LONG_AGO = "2024-01-01T00:00:00Z"


def ticket_value(desk: Desk, ticket: Ticket, origin: str) -> dict[str, Any]:
    """One ticket."""
    custom = [{"id": one["id"], "value": ticket.custom.get(one["id"])} for one in desk.settings.custom_fields]
    return {
        "url": f"{origin}/api/v2/tickets/{ticket.id}.json",
        "id": ticket.id,
        "external_id": ticket.external_id,
        "via": _via(ticket.channel),
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "type": ticket.type,
        "subject": ticket.subject,
        "raw_subject": ticket.subject,
        "description": ticket.description,
        "priority": ticket.priority,
        "status": ticket.status,
        "recipient": None,
        "requester_id": ticket.requester_id,
        "submitter_id": ticket.submitter_id,
        "assignee_id": ticket.assignee_id,
        "organization_id": ticket.organization_id,
        "group_id": ticket.group_id,
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
        "forum_topic_id": None,
        "problem_id": ticket.problem_id,
        "has_incidents": False,
        "is_public": ticket.is_public,
        "due_at": ticket.due_at,
        "tags": ticket.tags,
        "custom_fields": custom,
        "satisfaction_rating": None,
        "sharing_agreement_ids": [],
        "custom_status_id": ticket.custom_status_id,
        "fields": custom,
        "followup_ids": ticket.followup_ids,
        "ticket_form_id": FORM_ID,
        "brand_id": BRAND_ID,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
        "generated_timestamp": ticket.generated,
    }


def _via(channel: str) -> dict[str, Any]:
    return {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}}


def audit_value(audit: Audit, origin: str) -> dict[str, Any]:
    """One audit with its events; the comment comes first, as in the vendor's answers."""
    events = audit.events
    if audit.comment is not None:
        comment = comment_value(audit.comment, origin)
        comment.pop("created_at")
        events = [comment, *events]
    return {
        "id": audit.id,
        "ticket_id": audit.ticket_id,
        "created_at": audit.created_at,
        "author_id": audit.author_id,
        "metadata": {"system": audit.system, "custom": audit.custom},
        "events": events,
        "via": _via(audit.channel),
    }


def comment_value(comment: Comment, origin: str) -> dict[str, Any]:
    """A comment as it stands in an audit."""
    return {
        "id": comment.id,
        "type": "Comment",
        "author_id": comment.author_id,
        "body": comment.body,
        "html_body": comment.html_body,
        "plain_body": comment.plain_body,
        "public": comment.public,
        "attachments": [attachment_value(one, origin) for one in comment.files],
        "audit_id": comment.audit_id,
        "created_at": comment.created_at,
    }


def listed_comment_value(comment: Comment, audit: Audit, origin: str) -> dict[str, Any]:
    """A comment as the list of a ticket's comments shows it."""
    value = comment_value(comment, origin)
    value["via"] = _via(audit.channel)
    value["metadata"] = {"system": audit.system, "custom": audit.custom}
    return value


def attachment_value(file: File, origin: str) -> dict[str, Any]:
    """A file; the address of its content needs no sign-in, only its token."""
    content = f"{origin}/attachments/token/{file.token}/?name={quote(file.name)}"
    return {
        "url": f"{origin}/api/v2/attachments/{file.id}.json",
        "id": file.id,
        "file_name": file.name,
        "content_url": content,
        "mapped_content_url": content,
        "content_type": file.content_type,
        "size": len(file.data),
        "width": None,
        "height": None,
        "inline": False,
        "deleted": False,
        "malware_access_override": False,
        "malware_scan_result": "malware_not_found",
        "thumbnails": [],
    }


def user_value(user: User, origin: str) -> dict[str, Any]:
    """A person."""
    return {
        "id": user.id,
        "url": f"{origin}/api/v2/users/{user.id}.json",
        "name": user.name,
        "email": user.email,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "time_zone": user.time_zone,
        "iana_time_zone": user.time_zone,
        "phone": None,
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "locale": "en-US",
        "organization_id": user.organization_id,
        "role": user.role,
        "verified": True,
        "external_id": user.external_id,
        "tags": [],
        "alias": None,
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": user.updated_at,
        "two_factor_auth_enabled": None,
        "signature": None,
        "details": None,
        "notes": None,
        "role_type": {"admin": 4, "agent": 0}.get(user.role),
        "custom_role_id": None,
        "moderator": user.role == "admin",
        "ticket_restriction": None if user.is_agent else "requested",
        "only_private_comments": False,
        "restricted_agent": not user.is_agent,
        "suspended": False,
        "default_group_id": GROUP_ID if user.is_agent else None,
        "report_csv": user.role == "admin",
        "user_fields": {},
    }


def webhook_value(webhook: Webhook) -> dict[str, Any]:
    """A web hook without its secret."""
    value: dict[str, Any] = {
        "id": webhook.id,
        "name": webhook.name,
        "status": webhook.status,
        "subscriptions": webhook.subscriptions,
        "created_at": webhook.created_at,
        "created_by": str(webhook.created_by),
        "endpoint": webhook.endpoint,
        "http_method": webhook.http_method,
        "request_format": webhook.request_format,
    }
    if webhook.description:
        value["description"] = webhook.description
    if webhook.updated_at:
        value["updated_at"] = webhook.updated_at
    return value


def ticket_field_values(desk: Desk, origin: str) -> list[dict[str, Any]]:
    """The system's fields and the custom ones."""
    choices = {
        "status": [("Open", "open"), ("Pending", "pending"), ("On-hold", "hold"), ("Solved", "solved")],
        "tickettype": [(one.capitalize(), one) for one in ("question", "incident", "problem", "task")],
        "priority": [(one.capitalize(), one) for one in ("low", "normal", "high", "urgent")],
    }
    names = ("subject", "description", "status", "tickettype", "priority", "group", "assignee")
    titles = {"tickettype": "Type"}
    values = []
    for index, name in enumerate(names):
        value = _field_value(origin, 360000600001 + index, name, titles.get(name, name.capitalize()), index)
        value["removable"] = False
        if name in choices:
            value["system_field_options"] = [{"name": label, "value": tag} for label, tag in choices[name]]
        values.append(value)
    for index, one in enumerate(desk.settings.custom_fields, len(names)):
        value = _field_value(origin, one["id"], one["type"], one["title"], index)
        if one["type"] == "tagger":
            value["custom_field_options"] = [
                {
                    "id": one["id"] * 10 + at,
                    "name": o["name"],
                    "raw_name": o["name"],
                    "value": o["value"],
                    "default": False,
                }
                for at, o in enumerate(one["options"], 1)
            ]
        value["required"] = one["id"] in desk.settings.required_to_solve
        values.append(value)
    return values


def _field_value(origin: str, id_: int, type_: str, title: str, position: int) -> dict[str, Any]:
    return {
        "url": f"{origin}/api/v2/ticket_fields/{id_}.json",
        "id": id_,
        "type": type_,
        "title": title,
        "raw_title": title,
        "description": title,
        "raw_description": title,
        "position": position,
        "active": True,
        "required": False,
        "collapsed_for_agents": False,
        "regexp_for_validation": None,
        "title_in_portal": title,
        "raw_title_in_portal": title,
        "visible_in_portal": True,
        "editable_in_portal": True,
        "required_in_portal": False,
        "tag": None,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
        "removable": True,
        "agent_description": "",
    }


def custom_status_values() -> list[dict[str, Any]]:
    """The default status of each category; accounts may have more."""
    labels = {"hold": "On-hold"}
    values = []
    for status, id_ in CUSTOM_STATUS_IDS.items():
        label = labels.get(status, status.capitalize())
        values.append(
            {
                "id": id_,
                "status_category": status,
                "agent_label": label,
                "raw_agent_label": label,
                "end_user_label": label,
                "raw_end_user_label": label,
                "description": "",
                "raw_description": "",
                "end_user_description": "",
                "raw_end_user_description": "",
                "active": True,
                "default": True,
                "created_at": _LONG_AGO,
                "updated_at": _LONG_AGO,
            }
        )
    return values
