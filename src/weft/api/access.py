"""Reviews: what a subject asks about itself, in Kubernetes' words."""

from typing import Any

from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import rule_json
from weft.api.errors import Json, bad_request
from weft.api.permissions import Ask, Rule
from weft.api.resources import ACCESS_REVIEW, RULES_REVIEW, Resource
from weft.api.subjects import Subject


async def reviewed(resource: Resource, subject: Subject, asked: Json, authorizer: Authorizer) -> Json:
    """The answer to a review. Raises ``ApiError`` 400."""
    head: Json = {"kind": resource.kind.kind, "apiVersion": resource.storage_version, "metadata": {}}
    if resource == ACCESS_REVIEW:
        spec = _mapping(asked, "spec")
        allowed = await authorizer.allows(subject, _ask(spec))
        return head | {"spec": spec, "status": {"allowed": allowed}}
    if resource == RULES_REVIEW:
        spec = _mapping(asked, "spec")
        rules = await authorizer.rules(subject, _text(spec, "namespace"))
        return head | {"spec": spec, "status": _rules_status(rules)}
    return head | {"status": {"userInfo": {"username": subject.name, "groups": list(subject.groups)}}}


def _ask(spec: Json) -> Ask:
    """``SelfSubjectAccessReviewSpec``: about a resource or about a path."""
    resource = spec.get("resourceAttributes")
    if resource is None:
        path = _mapping(spec, "nonResourceAttributes")
        if not path:
            raise bad_request("either resourceAttributes or nonResourceAttributes must be specified")
        return Ask(verb=_text(path, "verb"), path=_text(path, "path") or "/")
    resource = _mapping(spec, "resourceAttributes")
    return Ask(
        verb=_text(resource, "verb"),
        group=_text(resource, "group"),
        resource=_text(resource, "resource"),
        subresource=_text(resource, "subresource"),
        namespace=_text(resource, "namespace"),
        name=_text(resource, "name"),
    )


def _rules_status(rules: tuple[Rule, ...]) -> Json:
    told = [rule_json(rule) for rule in dict.fromkeys(rules)]
    return {
        "resourceRules": [rule for rule in told if "resources" in rule],
        "nonResourceRules": [rule for rule in told if "nonResourceURLs" in rule],
        "incomplete": False,
    }


def _mapping(content: Json, name: str) -> Json:
    value: Any = content.get(name) or {}
    if not isinstance(value, dict):
        raise bad_request(f"{name} must be an object")
    return value


def _text(content: Json, name: str) -> str:
    value: Any = content.get(name, "")
    if not isinstance(value, str):
        raise bad_request(f"{name} must be a text")
    return value
