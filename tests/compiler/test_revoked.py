"""Revoked certificates in listeners: only behind the mesh's TLS, first of all, and nothing while none is revoked."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.bootstrap import check_with_envoy, listeners
from tests.compiler.test_gateways import PAIR, listener, view
from tests.compiler.test_listeners import inbound_port
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC
from weft.compiler.listeners import inbound_listener
from weft.compiler.resources import resources_of
from weft.model.gateway import ServerTls, ServerTlsMode
from weft.model.revocation import Revoked
from weft.model.security import MtlsMode
from weft.model.service import Protocol
from weft.view.view import InboundPort, Norms, View

REVOKED = Revoked(accounts=(("shop", "thief"),), certificates=("ab" * 32, "cd" * 32))
NORMS = Norms(aliases=("old.example",), revoked=REVOKED)


def port(mtls: MtlsMode, protocol: Protocol) -> InboundPort:
    return replace(inbound_port(mtls, protocol), norms=NORMS)


def first(chain: FilterChain) -> str:
    return chain.filters[0].name


@pytest.mark.parametrize("protocol", [Protocol.HTTP, Protocol.TCP])
def test_a_sidecar_asks_behind_the_meshs_tls_and_not_of_plaintext(protocol: Protocol) -> None:
    body = inbound_listener(port(MtlsMode.PERMISSIVE, protocol), "cluster.local").body
    chains = Listener.FromString(body).filter_chains
    secure = [chain for chain in chains if chain.HasField("transport_socket")]
    plain = [chain for chain in chains if not chain.HasField("transport_socket")]
    assert secure
    assert plain
    assert {first(chain) for chain in secure} == {"envoy.filters.network.rbac"}
    assert "envoy.filters.network.rbac" not in [one.name for chain in plain for one in chain.filters]


def test_an_account_is_denied_by_all_names_of_the_mesh_and_a_certificate_by_its_digest() -> None:
    body = inbound_listener(port(MtlsMode.STRICT, Protocol.HTTP), "cluster.local").body
    (chain,) = Listener.FromString(body).filter_chains
    found = RBAC.FromString(chain.filters[0].typed_config.value).rules
    names = [one.authenticated.principal_name.exact for one in found.policies["accounts"].principals]
    assert names == ["spiffe://cluster.local/ns/shop/sa/thief", "spiffe://old.example/ns/shop/sa/thief"]
    assert set(found.policies) == {"accounts", *REVOKED.certificates}
    condition = found.policies[REVOKED.certificates[0]].condition.call_expr
    assert condition.args[1].const_expr.string_value == REVOKED.certificates[0]


def test_nothing_stands_there_while_nothing_is_revoked() -> None:
    chains = Listener.FromString(inbound_listener(inbound_port(MtlsMode.STRICT), "cluster.local").body).filter_chains
    assert "envoy.filters.network.rbac" not in [one.name for chain in chains for one in chain.filters]


def gateway() -> View:
    modes = (ServerTlsMode.ISTIO_MUTUAL, ServerTlsMode.SIMPLE)
    made = view(*(ServerTls(mode=mode, certificates=(PAIR,) if mode is modes[1] else ()) for mode in modes))
    return replace(made, gateway_ports=tuple(replace(one, norms=NORMS) for one in made.gateway_ports))


def test_a_gateway_asks_where_callers_are_of_the_mesh() -> None:
    mesh, simple = listener(gateway()).filter_chains
    assert first(mesh) == "envoy.filters.network.rbac"
    assert first(simple) != "envoy.filters.network.rbac"


def test_envoy_takes_it(tmp_path: Path) -> None:
    inbound = (port(MtlsMode.PERMISSIVE, Protocol.HTTP), replace(port(MtlsMode.STRICT, Protocol.TCP), bind_port=21_002))
    made = replace(gateway(), inbound=inbound)
    assert listeners(resources_of(made))
    check_with_envoy(resources_of(made), tmp_path)
