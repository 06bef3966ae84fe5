"""What went wrong elsewhere and is not tried in another place; ``docs/security.md`` has the whole list."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.intents.intent import caller, intents, mesh_of, server
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from weft.api.admin import load_admin_token
from weft.ca.authority import open_authority
from weft.cli.units import instance
from weft.compiler.resource import CLUSTER, Resource
from weft.compiler.resources import resources_of
from weft.explain.access import Outcome, verdict_of
from weft.explain.question import Question
from weft.kit.clock import FakeClock
from weft.view.access_policies import guards_of
from weft.view.build import view_of

ROOT = Path(__file__).parents[2]
PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40,}")


def test_no_key_is_shipped() -> None:
    """CVE-2020-1764: one key for every installation."""
    places = [path for part in ("src", "client", "deploy", "examples") for path in (ROOT / part).rglob("*")]
    files = [path for path in places if path.is_file() and path.suffix != ".pyc"]
    assert len(files) > 500
    assert [path for path in files if PRIVATE.search(path.read_bytes())] == []


def test_two_installations_have_no_secret_in_common(tmp_path: Path) -> None:
    """CVE-2020-1764, CVE-2020-13170: what one has made is nothing to the other."""
    places = [tmp_path / "one", tmp_path / "two"]
    authorities = [open_authority(place / "ca", trust_domain="cluster.local", clock=FakeClock()) for place in places]
    assert authorities[0].fingerprint != authorities[1].fingerprint
    tokens = [load_admin_token(place / "admin.token") for place in places]
    said = [(place / "admin.token").read_text().strip() for place in places]
    assert [[token.accepts(one) for one in said] for token in tokens] == [[True, False], [False, True]]
    keys = [sorted((place / "ca").rglob("*key*")) for place in places]
    assert keys[0]
    assert not {path.read_bytes() for path in keys[0]} & {path.read_bytes() for path in keys[1]}


def contexts() -> Iterator[tuple[str, UpstreamTlsContext]]:
    """Every context for a connection inside the mesh that any intent makes, with where it stands."""
    for intent in intents():
        for node in (caller("web-1"), caller("edge")):
            for found in resources_of(view_of(intent.mesh(), node)).resources:
                for context in _contexts(found) if found.type_url == CLUSTER else ():
                    yield f"{intent}: {found.name}", context


def _contexts(resource: Resource) -> Iterator[UpstreamTlsContext]:
    cluster = Cluster.FromString(resource.body)
    sockets = [cluster.transport_socket, *(one.transport_socket for one in cluster.transport_socket_matches)]
    for socket in sockets:
        context = UpstreamTlsContext()
        if socket.typed_config.Unpack(context):
            yield context


def test_every_connection_inside_the_mesh_knows_whom_it_expects() -> None:
    """CVE-2021-32574: a certificate of the mesh was enough, whoever's it was. CVE-2020-15104: no name is a pattern."""
    count = 0
    for place, context in contexts():
        validation = context.common_tls_context.combined_validation_context
        if validation.validation_context_sds_secret_config.name != "ROOTCA":
            continue
        names = validation.default_validation_context.match_typed_subject_alt_names
        assert names, place
        for name in names:
            exact, prefix = name.matcher.exact, name.matcher.prefix
            assert exact.startswith("spiffe://") or (prefix.startswith("spiffe://") and prefix.endswith("/")), place
        count += 1
    assert count > 100


@pytest.mark.parametrize(
    ("pattern", "account", "outcome"),
    [("*/sa/client", "client", Outcome.DENIED), ("*/sa/client", "other", Outcome.ALLOWED)],
)
def test_a_pattern_for_the_end_of_an_identity_holds_for_bytes(pattern: str, account: str, outcome: Outcome) -> None:
    """CVE-2020-16844: such a rule was never met on a port of bytes."""
    mesh = mesh_of(f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: not-you, namespace: shop}}
spec:
  action: DENY
  rules: [{{from: [{{source: {{principals: ["{pattern}"]}}}}]}}]
""")
    question = Question(
        caller=f"cluster.local/ns/shop/sa/{account}", source_ip="127.0.0.1", remote_ip="127.0.0.1",
        ports=(9080, 21001), bytes_only=True,
    )  # fmt: skip
    assert verdict_of(guards_of(mesh, server("reviews-v1")), question).outcome is outcome


@pytest.mark.parametrize("make", [lambda bad: ("weft", bad), lambda bad: ("--", "serve", bad)])
def test_what_is_told_a_unit_adds_no_line_to_it(make: Callable[[str], tuple[str, ...]]) -> None:
    """CVE-2022-21701: words of others in a manifest made of a text became a manifest of their own."""
    bad = 'x\nExecStartPre=/bin/sh -c "id"\r\n[Unit]\n%n $HOME'
    text = instance(("weft",), "reviews", make(bad), capture=False).text
    plain = instance(("weft",), "reviews", make("x"), capture=False).text
    assert len(text.splitlines()) == len(plain.splitlines())
    assert "$$HOME" in text
    assert "%%n" in text
