"""Who is asking: the subject behind a bearer token, and the reviews in which it asks about itself."""

from collections.abc import Awaitable, Callable

from weft.api.errors import Json
from weft.api.resources import ACCESS_REVIEW, RULES_REVIEW, Resource
from weft.kit.value import Value


class Subject(Value):
    """Somebody who was authenticated, and therefore may do everything."""

    name: str
    groups: tuple[str, ...] = ()


Authenticate = Callable[[str], Awaitable[Subject | None]]
"""A bearer token to the subject that it proves; compares in constant time."""


def reviewed(resource: Resource, subject: Subject, asked: Json) -> Json:
    """The answer to a review: whoever is authenticated is allowed everything."""
    head: Json = {"kind": resource.kind.kind, "apiVersion": resource.storage_version, "metadata": {}}
    if resource == ACCESS_REVIEW:
        return head | {"spec": asked.get("spec", {}), "status": {"allowed": True}}
    if resource == RULES_REVIEW:
        every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        paths = {"verbs": ["*"], "nonResourceURLs": ["*"]}
        status = {"resourceRules": [every], "nonResourceRules": [paths], "incomplete": False}
        return head | {"spec": asked.get("spec", {}), "status": status}
    return head | {"status": {"userInfo": {"username": subject.name, "groups": list(subject.groups)}}}
