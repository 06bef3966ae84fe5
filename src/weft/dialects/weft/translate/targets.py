"""The attachment of a policy in the model's words."""

from weft.dialects.served import Subject
from weft.dialects.weft.checks.targets import group_of
from weft.dialects.weft.types.targets import Attached, Selecting
from weft.kit.value import labels_of
from weft.model.attachment import Attachment, Target
from weft.model.document import Key


def attachment_of(spec: Attached, subject: Subject) -> Attachment:
    """Where the policy holds; targets are of its own namespace."""
    targets = dict.fromkeys(
        Target(
            key=Key(group=group_of(one), kind=one.kind, namespace=subject.namespace, name=one.name),
            section=one.section_name or "",
        )
        for one in spec.target_refs
    )
    selected = spec.selector if isinstance(spec, Selecting) else None
    selector = None if selected is None else labels_of(selected.match_labels)
    return Attachment(
        origin=subject.origin,
        targets=tuple(targets),
        selector=selector,
        generation=subject.metadata.generation or 0,
    )
