"""What stands first behind the mesh's TLS while certificates are revoked: who shows one of them is not heard.

It is a part of the filter chain, so Envoy ends, within its drain time, connections that were let in by another list.
"""

from collections.abc import Iterator

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.config.rbac.v3 import rbac_pb2 as rules
from weft._pb.envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from weft._pb.envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.google.api.expr.v1alpha1.syntax_pb2 import Constant, Expr
from weft.compiler.wire import packed
from weft.model.revocation import Revoked

_STATISTICS = "revoked."


def revoked_guard(revoked: Revoked, trust_domains: tuple[str, ...]) -> list[Filter]:
    """The filter; none while nothing is revoked."""
    if not revoked:
        return []
    denied = rules.RBAC(action=rules.RBAC.DENY, policies=dict(_policies(revoked, trust_domains)))
    config = RBAC(stat_prefix=_STATISTICS, rules=denied)
    return [Filter(name="envoy.filters.network.rbac", typed_config=packed(config))]


def _policies(revoked: Revoked, trust_domains: tuple[str, ...]) -> Iterator[tuple[str, Policy]]:
    if revoked.accounts:
        names = [
            f"spiffe://{domain}/ns/{namespace}/sa/{account}"
            for namespace, account in revoked.accounts
            for domain in trust_domains
        ]
        yield "accounts", Policy(permissions=[Permission(any=True)], principals=[_named(name) for name in names])
    for digest in revoked.certificates:
        anybody = [Principal(any=True)]
        yield digest, Policy(permissions=[Permission(any=True)], principals=anybody, condition=_shown(digest))


def _named(uri: str) -> Principal:
    return Principal(authenticated=Principal.Authenticated(principal_name=StringMatcher(exact=uri)))


def _shown(digest: str) -> Expr:
    """``connection.sha256_peer_certificate_digest == digest``."""
    connection = Expr(ident_expr=Expr.Ident(name="connection"))
    shown = Expr(select_expr=Expr.Select(operand=connection, field="sha256_peer_certificate_digest"))
    own = Expr(const_expr=Constant(string_value=digest))
    return Expr(call_expr=Expr.Call(function="_==_", args=[shown, own]))
