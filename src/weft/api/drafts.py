"""From a request to the document that would be stored: metadata's rules, field owners and the dialect's check.

Without I/O and without waiting: the write path runs it beside the event loop, since a body may be large.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from weft.api import objects
from weft.api.errors import MODIFIED, Json, bad_request, conflict, invalid, unprocessable
from weft.api.managers import Writer, after_update, applied
from weft.api.namespaces import established, is_namespace
from weft.api.options import WriteOptions
from weft.api.paths import Target
from weft.api.resources import Dialect
from weft.kit.clock import Clock
from weft.kit.value import Value
from weft.model.document import Document
from weft.model.finding import Finding, Severity

Edit = Callable[[Json], Any]
"""An object as its client reads it, to what the client makes of it."""

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_MAX_PREFIX = 58


class Draft(Value):
    """A document that may be stored (at the revision that it replaces), and what its writer should know."""

    document: Document
    warnings: tuple[Finding, ...] = ()


class Identifiers:
    """Makes unique ids and the ends of generated names out of a source of random bytes."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._bytes = random_bytes

    def uid(self) -> str:
        """A version 4 UUID (RFC 9562)."""
        raw = bytearray(self._bytes(16))
        raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
        text = raw.hex()
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def suffix(self) -> str:
        """Five characters that spell no words."""
        return "".join(_SUFFIX[byte % len(_SUFFIX)] for byte in self._bytes(5))


class Drafts:
    """Makes drafts; every method may raise ``ApiError`` 400, 409 or 422."""

    def __init__(self, dialect: Dialect, clock: Clock, identifiers: Identifiers) -> None:
        self._dialect = dialect
        self._clock = clock
        self._identifiers = identifiers

    def created(self, target: Target, content: Any, options: WriteOptions) -> Draft:
        """A new object; a name is generated when there is only its beginning."""
        content = objects.at_home(content, target)
        content["metadata"].pop("managedFields", None)
        if objects.claimed_revision(content) is not None:
            raise bad_request("resourceVersion should not be set on objects to be created")
        self._generate_name(content["metadata"])
        warnings = self._checked(target, content)
        content = self._dialect.completed(target.resource.kind, self._dialect.received(target.resource.kind, content))
        writer = self._writer(options)
        content = objects.born(content, writer.now, self._identifiers.uid())
        return self._draft(target, after_update(None, content, writer, target), 0, warnings)

    def edited(self, target: Target, current: Document, edit: Edit, options: WriteOptions) -> Draft:
        """An object that a client changed. What it claims to have seen must be ``current``."""
        content = objects.at_home(edit(objects.served(current, target.api_version)), target)
        self._refuse_stale(target, content, current.revision)
        warnings = self._checked(target, content)
        content = self._dialect.completed(target.resource.kind, self._dialect.received(target.resource.kind, content))
        old = objects.object_of(current)
        content = self._dialect.kept(target.resource.kind, old, content)
        self._refuse_change(target, old, content)
        content = after_update(old, objects.changed(old, content, target), self._writer(options), target)
        return self._draft(target, content, current.revision, warnings)

    def applied(self, target: Target, current: Document | None, declared: Any, options: WriteOptions) -> Draft:
        """An object that a manager declared its part of; a new one when there is none."""
        declared = self._dialect.received(target.resource.kind, objects.at_home(declared, target))
        if declared["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        self._refuse_stale(target, declared, current.revision if current else 0)
        writer = self._writer(options)
        old = objects.object_of(current) if current else None
        content = applied(old, declared, writer, target, options.force)
        warnings = self._checked(target, content)
        content = self._dialect.completed(target.resource.kind, content)
        if old is None:
            return self._draft(target, objects.born(content, writer.now, self._identifiers.uid()), 0, warnings)
        self._refuse_change(target, old, content)
        revision = current.revision if current else 0
        return self._draft(target, objects.changed(old, content, target), revision, warnings)

    def _refuse_stale(self, target: Target, content: Json, revision: int) -> None:
        claimed = objects.claimed_revision(content)
        if claimed is not None and claimed != revision:
            raise conflict(target.resource.kind.plural, target.resource.kind.group, target.name, MODIFIED)

    def _checked(self, target: Target, content: Json) -> tuple[Finding, ...]:
        """The warnings of the dialect; its errors refuse."""
        kind = target.resource.kind
        findings = self._dialect.check(kind, content | {"apiVersion": target.resource.storage_version})
        return accepted(target, str(content["metadata"].get("name", "")), findings)

    def _refuse_change(self, target: Target, old: Json, new: Json) -> None:
        """What may not become of a stored object. Both are taken as their storage version, which the rules read."""
        version = {"apiVersion": target.resource.storage_version}
        accepted(target, target.name, self._dialect.check_change(target.resource.kind, old | version, new | version))

    def _draft(self, target: Target, content: Json, revision: int, warnings: tuple[Finding, ...]) -> Draft:
        name = content["metadata"].get("name")
        if not isinstance(name, str) or not name:
            raise unprocessable("name or generateName is required")
        if is_namespace(target.resource):
            content = established(content, self._now())
        stored = self._dialect.convert(target.resource.kind, content)
        return Draft(document=objects.document_of(stored, target, revision), warnings=warnings)

    def _generate_name(self, metadata: Json) -> None:
        prefix = metadata.get("generateName")
        if not metadata.get("name") and isinstance(prefix, str) and prefix:
            metadata["name"] = prefix[:_MAX_PREFIX] + self._identifiers.suffix()

    def _writer(self, options: WriteOptions) -> Writer:
        return Writer(name=options.manager, now=self._now())

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def accepted(target: Target, name: str, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The warnings among findings. Raises ``ApiError`` 422 when there are errors."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise invalid(target.resource.kind.kind, target.resource.kind.group, name, errors)
    return tuple(finding for finding in findings if finding.severity is Severity.WARNING)


def refuse_unconditional(target: Target, content: Any) -> None:
    """A custom resource is replaced by those only who say what they saw, as in Kubernetes. Raises ``ApiError`` 422."""
    metadata = content.get("metadata") if isinstance(content, dict) else None
    if target.resource.core or (isinstance(metadata, dict) and metadata.get("resourceVersion")):
        return
    finding = Finding(
        code="W0105",
        message="must be specified for an update",
        path=("metadata", "resourceVersion"),
        help="get the object, change it and put it back",
    )
    raise invalid(target.resource.kind.kind, target.resource.kind.group, target.name, [finding])
