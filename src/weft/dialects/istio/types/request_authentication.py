"""Istio's RequestAuthentication."""

from typing import Literal

from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.wire import Duration, Many, Wire, items, needed, unset


class JwtHeader(Wire):
    """A header that tokens come in."""

    name: str = needed("Name of the header.")
    prefix: str | None = unset("What stands before the token, such as 'Bearer '.")


class ClaimToHeader(Wire):
    """A claim that the application is told."""

    header: str | None = unset("Name of the header.")
    claim: str | None = unset("Name of the claim; a dot leads into one that is an object.")


class JwtRule(Wire):
    """Tokens of one issuer."""

    issuer: str | None = unset("The issuer, as tokens name it.")
    audiences: Many[str] = items("A token must be for one of these; any if left out.")
    jwks_uri: str | None = unset("Where the issuer's keys are; found by OpenID discovery if left out.", max_length=2048)
    jwks_uri_: str | None = unset("Another way to write jwksUri.", alias="jwks_uri", max_length=2048)
    jwks: str | None = unset("The issuer's keys themselves, a JSON Web Key Set.")
    from_headers: Many[JwtHeader] = items("Headers that tokens come in.")
    from_params: Many[str] = items("Query parameters that tokens come in.")
    from_cookies: Many[str] = items("Cookies that tokens come in.")
    output_payload_to_header: str | None = unset("Header that tells the application the token's payload, in base64url.")
    forward_original_token: bool | None = unset("Whether the application gets the token; it does not if left out.")
    output_claim_to_headers: Many[ClaimToHeader] = items("Claims that the application is told in headers.")
    timeout: Duration | None = unset("How long asking for keys may take, 5s if left out.")
    presence: Literal["OPTIONAL", "REQUIRED"] | None = unset(
        "Whether a request must have such a token; OPTIONAL if unset."
    )
    space_delimited_claims: Many[str] = items(
        "Claims, besides scope and permission, that are lists with spaces between.", max_length=64
    )


class RequestAuthentication(Wire):
    """Tokens that are checked: a request with a wrong one is refused, one without any has no identity of its own."""

    selector: PolicyWorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    target_ref: PolicyTargetReference | None = unset("What the rules are attached to instead.")
    target_refs: Many[PolicyTargetReference] = items("What the rules are attached to instead.", max_length=16)
    jwt_rules: Many[JwtRule] = items("Tokens that can be checked.", max_length=4096)
