"""Refusals as Kubernetes writes them: a ``Status`` with reason, details and causes.

See "Status" in the Kubernetes API reference (meta/v1); clients decide by ``reason`` and ``code``, people read
``message``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from weft.kit.errors import WeftError
from weft.model.finding import Finding, field_path

Json = dict[str, Any]
"""A JSON object: what the Kubernetes protocol is made of."""


class ApiError(WeftError):
    """A request that is refused; becomes the answer."""

    def __init__(
        self, code: int, reason: str, message: str, details: Json | None = None, findings: Sequence[Finding] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.findings = tuple(findings)

    def status(self) -> Json:
        """The ``Status`` object."""
        body = {**success(self.details), "status": "Failure", "message": self.message}
        body |= {"reason": self.reason, "code": self.code}
        if self.findings:
            body["weft"] = {"findings": [finding_json(finding) for finding in self.findings]}
        return body


def success(details: Mapping[str, Any]) -> Json:
    """A ``Status`` that says that it worked."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return status | {"details": dict(details)} if details else status


def finding_json(finding: Finding) -> Json:
    """A finding as weft's own clients read it."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "path": list(finding.path),
        "message": finding.message,
        "help": finding.help,
        "at_key": finding.at_key,
    }


def sentence(finding: Finding) -> str:
    """A finding in one line."""
    advice = f" (help: {finding.help})" if finding.help else ""
    return f"[{finding.code}] {finding.message}{advice}"


def bad_request(message: str) -> ApiError:
    """400: the request makes no sense."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no credential, or a wrong one."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def too_many() -> ApiError:
    """429: too often without a credential that holds."""
    return ApiError(429, "TooManyRequests", "too many requests without a valid credential", {"retryAfterSeconds": 1})


def too_fast() -> ApiError:
    """429: more requests than one subject may send."""
    message = "too many requests of one subject; wait a second"
    return ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": 1})


def forbidden(message: str, details: Json | None = None) -> ApiError:
    """403: this is not done here, whoever asks."""
    return ApiError(403, "Forbidden", message, details)


def no_such_path() -> ApiError:
    """404: nothing is served there."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404: there is no such object."""
    return ApiError(404, "NotFound", f'{qualified(plural, group)} "{name}" not found', named(plural, group, name))


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409: the name is taken."""
    message = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, named(plural, group, name))


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    """409: the object is not what the writer thinks it is."""
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, named(plural, group, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(kind: str, group: str, name: str, findings: Sequence[Finding]) -> ApiError:
    """422: the object breaks a rule; ``findings`` say which."""
    causes = [
        {"reason": "FieldValueInvalid", "message": sentence(finding), "field": field_path(finding.path)}
        for finding in findings
    ]
    parts = (f"{cause['field']}: {cause['message']}" if cause["field"] else cause["message"] for cause in causes)
    message = f'{qualified(kind, group)} "{name}" is invalid: {join(parts)}'
    return ApiError(422, "Invalid", message, named(kind, group, name) | {"causes": causes}, findings)


def unprocessable(message: str) -> ApiError:
    """422: the request is well-formed and cannot be carried out."""
    return ApiError(422, "Invalid", message)


def expired(message: str) -> ApiError:
    """410: too far back; list again."""
    return ApiError(410, "Expired", message)


def from_the_future(wanted: int, newest: int) -> ApiError:
    """504: the revision asked for is not there yet (and, here, never will be before a write)."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {newest}"
    return ApiError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def unavailable(message: str) -> ApiError:
    """503: not now."""
    return ApiError(503, "ServiceUnavailable", message, {"retryAfterSeconds": 1})


def named(kind: str, group: str, name: str) -> Json:
    """The details that say which object."""
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def qualified(name: str, group: str) -> str:
    """``virtualservices.networking.istio.io``; the core group is silent."""
    return f"{name}.{group}" if group else name


def join(parts: Iterable[str]) -> str:
    """Several complaints in one text, as Kubernetes brackets them."""
    listed = list(parts)
    return listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
