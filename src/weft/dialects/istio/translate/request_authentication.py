"""A RequestAuthentication in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.translate.authorization_policy import targets
from weft.dialects.istio.types.request_authentication import JwtRule, RequestAuthentication
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.kit.value import labels_of
from weft.model.authentication import ClaimHeader, TokenHeader, TokenPolicy, TokenRule

_TIMEOUT = 5_000


def translate(spec: RequestAuthentication, subject: Subject) -> Fragment:
    """One policy."""
    policy = TokenPolicy(
        origin=subject.origin,
        namespace=subject.namespace,
        rules=tuple(_rule(rule) for rule in spec.jwt_rules),
        selector=labels_of(spec.selector.match_labels if spec.selector else {}),
        targets=targets(spec.target_ref, spec.target_refs),
    )
    return Fragment(key=subject.key, token_policies=(policy,))


def _rule(rule: JwtRule) -> TokenRule:
    return TokenRule(
        issuer=rule.issuer or "",
        audiences=rule.audiences,
        jwks=rule.jwks or "",
        jwks_uri=rule.jwks_uri or rule.jwks_uri_ or "",
        headers=tuple(TokenHeader(name=header.name, prefix=header.prefix or "") for header in rule.from_headers),
        params=rule.from_params,
        cookies=rule.from_cookies,
        payload_header=rule.output_payload_to_header or "",
        claim_headers=tuple(
            ClaimHeader(header=output.header or "", claim=output.claim or "") for output in rule.output_claim_to_headers
        ),
        forward=bool(rule.forward_original_token),
        required=rule.presence == "REQUIRED",
        timeout=milliseconds(rule.timeout) or _TIMEOUT,
        space_delimited=tuple(sorted({one for one in rule.space_delimited_claims if one} | {"permission", "scope"})),
    )
