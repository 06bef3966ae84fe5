"""Envoy's RBAC rules, as recorded from istiod, asked whether a request passes them."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from weft.explain.question import Question
from weft.explain.texts import template_matches

Json = Mapping[str, Any]


def passes(filters: list[Json], question: Question) -> str:
    """``allowed``, ``denied``, or ``asked`` when a provider is to be asked and nothing else denies."""
    asked = False
    for one in filters:
        config = one["typedConfig"]
        if "shadowRules" in config and config.get("shadowRulesStatPrefix") == "istio_ext_authz_":
            asked = _any_policy(config["shadowRules"], question)
        if (rules := config.get("rules")) is not None and rules.get("action") != "LOG":
            matched = _any_policy(rules, question)
            if matched is (rules.get("action") == "DENY"):
                return "denied"
    return "asked" if asked else "allowed"


def logged(filters: list[Json], question: Question) -> bool:
    """Whether a rule of AUDIT matches."""
    rules = [one["typedConfig"].get("rules", {}) for one in filters]
    return any(one.get("action") == "LOG" and _any_policy(one, question) for one in rules)


def tried(filters: list[Json], question: Question, action: str) -> bool:
    """Whether a rule matches that is only tried."""
    prefix = f"istio_dry_run_{action.lower()}_"
    shadows = [one["typedConfig"] for one in filters if one["typedConfig"].get("shadowRulesStatPrefix") == prefix]
    return any(_any_policy(one["shadowRules"], question) for one in shadows if "shadowRules" in one)


def _any_policy(rules: Json, question: Question) -> bool:
    return any(
        any(_holds(one, question) for one in policy["permissions"])
        and any(_holds(one, question) for one in policy["principals"])
        for policy in rules.get("policies", {}).values()
    )


def _holds(node: Json, question: Question) -> bool:  # noqa: C901  one line for each kind of rule
    ((kind, value),) = node.items()
    match kind:
        case "any":
            return bool(value)
        case "andRules" | "andIds":
            return all(_holds(one, question) for one in value.get("rules", value.get("ids", ())))
        case "orRules" | "orIds":
            return any(_holds(one, question) for one in value.get("rules", value.get("ids", ())))
        case "notRule" | "notId":
            return not _holds(value, question)
        case "authenticated":
            return bool(question.caller) and _text(value["principalName"], f"spiffe://{question.caller}")
        case "header":
            return _header(value, question)
        case "urlPath":
            return _text(value["path"], question.path.partition("?")[0])
        case "uriTemplate":
            template = value["typedConfig"]["pathTemplate"].replace("**", "{*?}").replace("*/", "{*}/")
            template = re.sub(r"(?<![{?])\*$", "{*}", template).replace("{{*}?}", "{**}").replace("{*?}", "{**}")
            return template_matches(template, question.path.partition("?")[0], wide=False)
        case "directRemoteIp":
            return _among(value, question.source_ip)
        case "remoteIp":
            return _among(value, question.remote_ip)
        case "destinationIp":
            return _among(value, question.own_ip)
        case "destinationPort":
            return value in question.ports
        case "requestedServerName":
            return _text(value, question.server_name)
        case "metadata":
            return _metadata(value, question)
    raise AssertionError(kind)


def _header(wanted: Json, question: Question) -> bool:
    values = question.values(wanted["name"].lower())
    if wanted.get("presentMatch"):
        return bool(values)
    return bool(values) and _text(wanted["stringMatch"], ",".join(values))


def _text(wanted: Json, text: str) -> bool:
    if wanted.get("ignoreCase"):
        wanted, text = (
            {name: str(value).lower() for name, value in wanted.items() if name != "ignoreCase"},
            text.lower(),
        )
    ((kind, value),) = wanted.items()
    match kind:
        case "exact":
            return text == value
        case "prefix":
            return text.startswith(value)
        case "suffix":
            return text.endswith(value)
        case "safeRegex":
            return re.fullmatch(value["regex"], text) is not None
    raise AssertionError(kind)


def _among(wanted: Json, address: str) -> bool:
    network = ipaddress.ip_network(f"{wanted['addressPrefix']}/{wanted['prefixLen']}", strict=False)
    return ipaddress.ip_address(address) in network


def _metadata(wanted: Json, question: Question) -> bool:
    path = [one["key"] for one in wanted["path"]]
    if wanted["filter"] == "envoy.filters.http.jwt_authn":
        content: Any = {"payload": question.claims} if question.claims is not None else {}
    else:
        content = question.metadata.get(wanted["filter"], {})
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content is not None and _value(wanted["value"], content)


def _value(wanted: Json, content: Any) -> bool:
    ((kind, value),) = wanted.items()
    match kind:
        case "stringMatch":
            return isinstance(content, str) and _text(value, content)
        case "listMatch":
            return isinstance(content, list) and any(_value(value["oneOf"], one) for one in content)
        case "orMatch":
            return any(_value(one, content) for one in value["valueMatchers"])
    raise AssertionError(kind)
