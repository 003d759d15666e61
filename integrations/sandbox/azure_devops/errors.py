"""The error bodies of Azure DevOps: a wrapped exception, or `{"count": 1, "value": {"Message": ...}}`.

Which exception goes with which status is read off recorded answers and public reports of them; so are the messages
that begin with a number.  Those without one say the same in our words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.wire import Request, Response, json_response

TRACKING = "Microsoft.TeamFoundation.WorkItemTracking.Server"
CORE = "Microsoft.TeamFoundation.Core.WebApi"
WEB_API = "Microsoft.VisualStudio.Services.WebApi"
COMMON = "Microsoft.VisualStudio.Services.Common"
HOOKS = "Microsoft.VisualStudio.Services.ServiceHooks.WebApi"


class Wrong(Exception):
    """The request is refused: becomes `status` with the name of the vendor's exception and its message."""

    def __init__(
        self,
        message: str,
        key: str,
        status: int = 400,
        *,
        space: str = TRACKING,
        code: int = 0,
        event: int = 3200,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._key, self._space, self._code, self._event = key, space, code, event
        self._more = more

    def response(self) -> Response:
        """The answer."""
        value: dict[str, Any] = {"$id": "1"}
        if self._more is not None:
            value["customProperties"] = dict(self._more)
        value |= {
            "innerException": None,
            "message": str(self),
            "typeName": f"{self._space}.{self._key}, {self._space.removesuffix('.Patch')}",
            "typeKey": self._key,
            "errorCode": self._code,
            "eventId": self._event,
        }
        return json_response(value, self.status)


class Improper(Exception):
    """A refusal from below the work item service, in the other form."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> Response:
        """The answer."""
        return json_response({"count": 1, "value": {"Message": str(self)}}, self.status)


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken rule: the field, the vendor's flags for what is wrong, and its sentence."""

    reference: str
    flags: str
    message: str
    code: int = 0


def empty_field(reference: str, name: str) -> Broken:
    """A field that a rule wants to be filled."""
    message = f"TF401320: Rule Error for field {name}. Error code: Required, InvalidEmpty."
    return Broken(reference, "required, invalidEmpty", message, 524289)


def too_long(reference: str, name: str) -> Broken:
    """A text beyond the field's length."""
    message = f"TF401320: Rule Error for field {name}. Error code: InvalidTooLong."
    return Broken(reference, "invalidTooLong", message)


def not_of_type(reference: str, name: str) -> Broken:
    """A value that the field's type cannot hold."""
    message = f"TF401320: Rule Error for field {name}. Error code: InvalidType."
    return Broken(reference, "invalidType", message)


def not_in_list(reference: str, name: str, value: object) -> Broken:
    """A value that is none of the field's."""
    message = f"The field '{name}' contains the value '{value}' that is not in the list of supported values"
    return Broken(reference, "hasValues, limitedToValues, invalidListValue", message)


def unknown_person(reference: str, name: str, value: object) -> Broken:
    """Nobody is called that."""
    message = f"The identity value '{value}' for field '{name}' is an unknown identity."
    return Broken(reference, "invalidIdentityField", message)


def broken_rules(found: Sequence[Broken]) -> Wrong:
    """400 with every broken rule; the message tells the first and counts the others."""
    first = found[0]
    message = first.message
    if len(found) > 1:
        count = "One" if len(found) == 2 else str(len(found) - 1)
        noun = "error" if len(found) == 2 else "errors"
        message += f" {count} additional {noun} occurred during validation of the work item. Please correct all errors and try again."
    rules = [
        {
            "fieldReferenceName": one.reference,
            "fieldStatusFlags": one.flags,
            "errorMessage": one.message,
            "fieldStatusCode": one.code,
            "ruleValidationErrors": None,
        }
        for one in found
    ]
    more = {
        "FieldReferenceName": None,
        "FieldStatusFlags": "none",
        "ErrorMessage": message,
        "FieldStatusCode": 0,
        "RuleValidationErrors": rules,
    }
    return Wrong(message, "RuleValidationException", more=more)


def unseen_item(id_: object) -> Wrong:
    """404 that tells neither whether the work item exists nor whether we may see it."""
    message = f"TF401232: Work item {id_} does not exist, or you do not have permissions to read it."
    return Wrong(message, "WorkItemUnauthorizedAccessException", 404)


def no_project(name: str) -> Wrong:
    """404 for a project that is not there, or that we may not see."""
    message = (
        f"TF200016: The following project does not exist: {name}. Verify that the name of the project is "
        "correct and that the project exists on the specified Azure DevOps Server."
    )
    return Wrong(message, "ProjectDoesNotExistWithNameException", 404, space=CORE, event=3000)


def no_type(name: str, project: str) -> Wrong:
    """404 for a work item type that the project does not have."""
    message = (
        f"VS402323: Work item type {name} does not exist in project {project} or you do not have permission "
        "to access it."
    )
    return Wrong(message, "WorkItemTypeNotFoundException", 404)


def no_field(name: str) -> Wrong:
    """400 for a field that does not exist."""
    return Wrong(f"TF51535: Cannot find field {name}.", "WorkItemTrackingFieldDefinitionNotFoundException")


def read_only(reference: str) -> Wrong:
    """400 for a field that only the system writes."""
    return Wrong(
        f"TF401326: Invalid field status 'ReadOnly' for field '{reference}'.", "WorkItemFieldInvalidException"
    )


def not_a_patch() -> Wrong:
    """400 for a body that is no list of operations."""
    message = "You must pass a valid patch document in the body of the request."
    return Wrong(message, "VssPropertyValidationException", space=COMMON, event=3000)


def failed_test(path: str, present: object, expected: object) -> Wrong:
    """412: the value is not what the writer thought it was, and nothing of the patch was done."""
    message = f"VS403351: Test Operation for path {path} failed, value {present} was not equal to test value {expected}."
    return Wrong(message, "TestPatchOperationFailedException", 412, space=f"{WEB_API}.Patch")


def bad_argument(message: str) -> Wrong:
    """400 for a parameter that cannot be used."""
    return Wrong(message, "ArgumentException")


def denied(what: str, person: str) -> Wrong:
    """403 for a right that the account lacks."""
    return Wrong(f"Access Denied: {person} needs the following permission(s) to perform this action: {what}",
                 "PermissionDeniedException", 403)  # fmt: skip


# --- The gate in front of every service ---


def no_version(method: str) -> Wrong:
    """400: the API version is missing."""
    message = (
        f'No api-version was supplied for the "{method}" request. The version must be supplied either as part of '
        'the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").'
    )
    return Wrong(message, "VssVersionNotSpecifiedException", space=WEB_API, event=3000)


def version_out_of_range(version: str) -> Wrong:
    """400: a version that this server does not know."""
    message = (
        f"The requested REST API version of {version} is out of range for this server. The latest REST API "
        "version this server supports is 7.2."
    )
    return Wrong(message, "VssVersionOutOfRangeException", space=WEB_API, event=3000)


def preview_only(version: str) -> Wrong:
    """400: the resource is under preview, and the version has to say that the caller knows."""
    message = (
        f'The requested version "{version}" of the resource is under preview. The -preview flag must be supplied '
        f'in the api-version for such requests. For example: "{version}-preview"'
    )
    return Wrong(message, "VssInvalidPreviewVersionException", space=WEB_API, event=3000)


def sign_in_page(status: int, origin: str) -> Response:
    """What a wrong token meets: a page for people, told as success, or the way to it."""
    headers = (("WWW-Authenticate", f"Bearer authorization_uri={origin}/sign-in"),)
    if status == 302:
        return Response(
            302,
            b"<html><head><title>Object moved</title></head><body></body></html>",
            "text/html; charset=utf-8",
            (*headers, ("Location", f"{origin}/_signin?realm=sandbox")),
        )
    if status == 401:
        return Response(401, b"", "text/html", headers)
    page = (
        b'<!DOCTYPE html>\r\n<html lang="en-US"><head><title>Azure DevOps Services | Sign In</title></head>'
        b"<body><form></form></body></html>"
    )
    return Response(203, page, "text/html; charset=utf-8", headers)


def expired() -> Response:
    """401 for a token whose time is over."""
    words = b"Access Denied: The Personal Access Token used has expired."
    return Response(401, words, "text/plain; charset=utf-8")


def blocked(resource: str, retry_after_s: int) -> Response:
    """429.  https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits"""
    wrong = Wrong(
        f"TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource "
        f"'Concurrency' in namespace 'User ID'. For more information on why your request was blocked, see {resource}.",
        "RequestBlockedException",
        429,
        space="Microsoft.TeamFoundation.Framework.Server",
        event=3000,
    )
    return wrong.response().with_headers(("Retry-After", str(retry_after_s)))


def mismatch() -> Wrong:
    """409: two writers at once, neither of whom tested the revision."""
    message = (
        "TF26071: This work item has been changed by someone else since you opened it. You will need to refresh it "
        "and discard your changes."
    )
    return Wrong(message, "WorkItemRevisionMismatchException", 409, code=600122)


def no_resource(request: Request) -> Response:
    """404 of the web server, for people."""
    if "/_apis/" in request.path:
        message = f"The controller for path '{request.path}' was not found or does not implement IController."
        key, space = "HttpException", "System.Web"
        return Wrong(message, key, 404, space=space, event=0).response()
    return Response(
        404, b"<!DOCTYPE html><html><head><title>Page not found</title></head></html>", "text/html"
    )


def no_method(method: str) -> Response:
    """405: the address is known, and not for this."""
    return Improper(f"The requested resource does not support http method '{method}'.", 405).response()
