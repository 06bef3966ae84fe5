"""Calls of clients at a gateway, explained."""

from tests.compiler.test_gateways import tls, view
from weft.compiler.resources import resources_of
from weft.explain.call import Explanation, parse_call
from weft.explain.walk import explain
from weft.model.gateway import ServerTlsMode


def said(url: str, **changes: bool) -> Explanation:
    return explain(resources_of(view(None, **changes)), parse_call("GET", url))


def test_a_plaintext_call_enters_by_the_port_that_documents_name() -> None:
    found = said("http://a.com:443/x")
    assert found.ok
    assert found.steps[0].what == "gateway_127.0.0.1_443 on 127.0.0.1:8443"
    assert [step.name for step in found.steps][:3] == ["listener", "virtual host", "route"]


def test_a_port_that_is_not_opened_is_said() -> None:
    found = said("http://a.com/x")
    assert (found.ok, found.steps[-1].what) == (False, "the gateway does not open port 80")


def test_a_redirect_to_https_is_the_answer() -> None:
    assert said("http://a.com:443/x?y=1", https_only=True).outcome == "301 to https://a.com:443/x?y=1"


def test_https_to_a_plaintext_port_is_said() -> None:
    assert "speaks plaintext, the call https" in said("https://a.com/").outcome


def test_tls_enters_by_the_name_of_the_server() -> None:
    made = resources_of(view(tls(ServerTlsMode.SIMPLE), tls(ServerTlsMode.MUTUAL)))
    found = explain(made, parse_call("GET", "https://s1.example.com/"))
    assert found.steps[0].details == ("TLS of the server s1", "the client must show a certificate")
    unknown = explain(made, parse_call("GET", "https://nobody.org/"))
    assert "no server of port 443 has the name nobody.org" in unknown.outcome
