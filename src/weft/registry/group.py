"""What a ``WorkloadGroup`` says of the workloads that register for it: the template of their entries, and their probe.

The document was checked when it was written; what is not as it should be counts as unset.
"""

from typing import Any

import msgspec

from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.document import Document, Key
from weft.registry.registration import Registration

_GROUP = "networking.istio.io"


class BadGroup(PeerError):
    """A group that is not there, or one that the workload does not fit; the message says which and why."""


class GroupTemplate(Value, rename="camel"):
    """``WorkloadGroup.template``, without the address, which every workload has for itself."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    ports: dict[str, int] = msgspec.field(default_factory=dict)
    service_account: str = ""
    network: str = ""
    locality: str = ""
    weight: int = 0


class GroupMetadata(Value):
    """Labels and annotations of the entries."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class GroupSpec(Value):
    """A group; ``probe`` is passed on to the agent as it was written."""

    metadata: GroupMetadata = GroupMetadata()
    template: GroupTemplate = GroupTemplate()
    probe: dict[str, Any] | None = None


class Group(Value):
    """A group of workloads."""

    name: str
    uid: str
    spec: GroupSpec

    @property
    def owner(self) -> dict[str, Any]:
        """The reference by which an entry names its group."""
        version = f"{_GROUP}/v1"
        return {"apiVersion": version, "kind": "WorkloadGroup", "name": self.name, "uid": self.uid, "controller": True}

    @property
    def labels(self) -> dict[str, str]:
        """The labels of an entry, the template's winning."""
        return {**self.spec.metadata.labels, **self.spec.template.labels}


class _Stored(Value):
    spec: GroupSpec = GroupSpec()


def group_key(namespace: str, name: str) -> Key:
    """The key of a group."""
    return Key(group=_GROUP, kind="WorkloadGroup", namespace=namespace, name=name)


def group_of(document: Document | None, name: str) -> Group:
    """The group in a stored document. Raises ``BadGroup`` when there is none."""
    if document is None:
        raise BadGroup(f"there is no WorkloadGroup {name}")
    try:
        stored = msgspec.json.decode(document.content, type=_Stored)
    except msgspec.MsgspecError as malformed:
        raise BadGroup(f"the WorkloadGroup {name} is malformed: {malformed}"[:200]) from malformed
    return Group(name=name, uid=document.uid, spec=stored.spec)


def check_fits(group: Group, said: Registration, account: str) -> None:
    """Raise ``BadGroup`` unless a workload of this account, with these ports, can belong to the group."""
    template = group.spec.template
    if template.service_account and template.service_account != account:
        raise BadGroup(f"the group {group.name} is for the account {template.service_account}, not {account}")
    missing = sorted(template.ports.keys() - {port.key for port in said.ports})
    if missing:
        raise BadGroup(f"the group {group.name} has the port {missing[0]}, which the workload does not declare")
