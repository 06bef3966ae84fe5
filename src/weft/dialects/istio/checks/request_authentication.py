"""What Istio says of a RequestAuthentication, and what no key set may have."""

import json
from urllib.parse import urlsplit

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_duration, check_policy_selector
from weft.dialects.istio.checks.headers import check_header_name
from weft.dialects.istio.checks.policy_targets import check_target_refs
from weft.dialects.istio.types.request_authentication import JwtRule, RequestAuthentication
from weft.dialects.metadata import ObjectMeta, check_metadata

_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}
_NOT_NAMED = "name it, or remove the entry"


def check_request_authentication(spec: RequestAuthentication, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateRequestAuthentication``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_policy_selector(here.at("selector"), spec.selector)
    yield from check_target_refs(here, spec.selector, spec.target_ref, spec.target_refs)
    for index, rule in enumerate(spec.jwt_rules):
        yield from _check_rule(here.at("jwtRules", index), rule)


def _check_rule(here: Here, rule: JwtRule) -> Findings:
    if not rule.issuer:
        yield here.error("W0105", "the issuer is missing", "write it as tokens have it in iss", at_key=True)
    for name, values in (("audiences", rule.audiences), ("fromParams", rule.from_params)):
        for index, value in enumerate(values):
            if not value:
                yield here.at(name, index).error("W0105", f"an entry of {name} is empty", _NOT_NAMED)
    for index, value in enumerate(rule.space_delimited_claims):
        if not value:
            yield here.at("spaceDelimitedClaims", index).error("W0105", "the name of a claim is empty", _NOT_NAMED)
    for index, value in enumerate(rule.from_cookies):
        if not value:
            yield here.at("fromCookies", index).error("W0105", "the name of a cookie is empty", _NOT_NAMED)
    for index, header in enumerate(rule.from_headers):
        yield from check_header_name(here.at("fromHeaders", index, "name"), header.name)
    yield from _check_keys(here, rule)
    yield from _check_outputs(here, rule)
    yield from check_duration(here.at("timeout"), rule.timeout)


def _check_outputs(here: Here, rule: JwtRule) -> Findings:
    for index, output in enumerate(rule.output_claim_to_headers):
        place = here.at("outputClaimToHeaders", index)
        if not output.header or not output.claim:
            yield place.error("W0105", "a claim and a header are both needed", "set claim and header", at_key=True)
        elif output.header.startswith(":"):
            yield place.at("header").error("W0112", f"{output.header[:80]} is not a name of a header")
        else:
            yield from check_header_name(place.at("header"), output.header)
    if rule.output_payload_to_header:
        yield from check_header_name(here.at("outputPayloadToHeader"), rule.output_payload_to_header)


def _check_keys(here: Here, rule: JwtRule) -> Findings:
    name, uri = ("jwksUri", rule.jwks_uri) if rule.jwks_uri is not None else ("jwks_uri", rule.jwks_uri_)
    if uri is not None:
        yield from _check_uri(here.at(name), uri)
    if rule.jwks:
        yield from _check_jwks(here.at("jwks"), rule.jwks)


def _check_uri(here: Here, uri: str) -> Findings:
    try:
        parts = urlsplit(uri)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or any(ord(letter) <= 32 or letter == "\\" for letter in uri):
        yield here.error("W0173", f'"{uri[:120]}" is not a URL of https or http')
    elif parts.username is not None or parts.password is not None:
        yield here.error("W0173", "a URL of keys has no user and no password", "remove what stands before the @")


def _check_jwks(here: Here, jwks: str) -> Findings:
    """Keys that cannot be read would refuse every token; private ones do not belong into a document."""
    try:
        keys = json.loads(jwks)["keys"]
        shaped = isinstance(keys, list) and all(isinstance(key, dict) and "kty" in key for key in keys)
    except (ValueError, TypeError, KeyError, RecursionError):
        shaped = False
    if not shaped:
        message = "this is not a JSON Web Key Set, so every token of the issuer is refused"
        yield here.warning("W0173", message, 'write {"keys": [...]}')
    elif any(_PRIVATE & key.keys() for key in keys):
        message = "a private key is among the keys: whoever reads the document can make tokens"
        yield here.warning("W0173", message, "leave only the public parts, and make a new key")
