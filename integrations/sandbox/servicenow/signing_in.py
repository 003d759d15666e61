"""Who calls: Basic with user and password, or an OAuth token, and where such tokens come from."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl

from integrations.sandbox.servicenow.seeds import integration_user
from integrations.sandbox.servicenow.state import Instance, Record, Token
from integrations.sandbox.wire import Request, Response, json_response

TOKEN_PATH = "/oauth_token.do"  # noqa: S105


def actor_of(instance: Instance, header: str, now: float) -> Record | None:
    """The user of an Authorization header; None when nobody is let in by it."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return _bearer(instance, value, now)
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return _with_password(instance, name, password)


def _bearer(instance: Instance, value: str, now: float) -> Record | None:
    if value == instance.settings.token:
        return integration_user(instance)
    token = instance.tokens.get(value)
    if token is None or token.until <= now:
        return None
    return instance.record("sys_user", token.user_id)


def _with_password(instance: Instance, name: str, password: str) -> Record | None:
    if not name or instance.passwords.get(name) != password:
        return None
    user = instance.user(name)
    is_welcome = user is not None and user["active"] == "true" and user["locked_out"] != "true"
    return user if is_welcome else None


def roles_of(instance: Instance, user: Record) -> frozenset[str]:
    """The names of a user's roles."""
    rows = (one for one in instance.rows("sys_user_has_role") if one["user"] == user.id)
    found = (instance.record("sys_user_role", one["role"]) for one in rows)
    return frozenset(one["name"] for one in found if one is not None)


def token(instance: Instance, request: Request, now: float) -> Response:
    """POST /oauth_token.do: a token for a password, for the client itself, or for a refresh token."""
    given = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    settings = instance.settings
    client = (given.get("client_id"), given.get("client_secret"))
    if client != (settings.client_id, settings.client_secret):
        return _refused("invalid_client")
    user: Record | None = None
    match given.get("grant_type"):
        case "password":
            user = _with_password(instance, given.get("username", ""), given.get("password", ""))
        case "client_credentials":
            user = integration_user(instance)
        case "refresh_token":
            id_ = instance.refresh_tokens.get(given.get("refresh_token", ""), "")
            user = instance.record("sys_user", id_)
    if user is None:
        return _refused("access_denied")
    access, refresh = instance.new_token(), instance.new_token()
    instance.tokens[access] = Token(user.id, now + settings.token_lifetime_s)
    instance.refresh_tokens[refresh] = user.id
    return json_response(
        {
            "access_token": access,
            "refresh_token": refresh,
            "scope": "useraccount",
            "token_type": "Bearer",
            "expires_in": settings.token_lifetime_s,
        }
    )


def _refused(error: str) -> Response:
    return json_response({"error_description": "access_denied", "error": error}, 401)
