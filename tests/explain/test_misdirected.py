"""Requests on a TLS connection that was made for another listener: the cases of Gateway API's conformance suite."""

import base64
import json
from functools import cache

import pytest
from cryptography import x509

from tests.intents.intent import EDGE, caller, mesh_of
from tests.xds.certificates import Root
from weft.compiler.resources import resources_of
from weft.explain.call import parse_call
from weft.explain.walk import explain
from weft.view.build import view_of

_LISTENERS = {
    "https": "",
    "https-with-hostname": "hostname: second.org",
    "https-with-wildcard": "hostname: '*.wild.org'",
    "https-within-wildcard": "hostname: fourth.wild.org",
}
_ROUTES = {
    "https": ("v1", "hostnames: [first.org]"),
    "https-with-hostname": ("v2", ""),
    "https-with-wildcard": ("v3", ""),
    "https-within-wildcard": ("v4", ""),
}


@cache
def _documents() -> str:
    tls = "tls: {certificateRefs: [{name: edge}]}"
    found = [
        """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: weft
  listeners:
"""
        + "\n".join(
            f"    - {{name: {name}, port: 443, protocol: HTTPS, {tls}{', ' if more else ''}{more}}}"
            for name, more in _LISTENERS.items()
        )
    ]
    for section, (path, more) in _ROUTES.items():
        found.append(
            f"""apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {section}, namespace: shop}}
spec:
  parentRefs: [{{name: edge, sectionName: {section}}}]
  {more}
  rules:
    - matches: [{{path: {{value: /here}}}}]
      filters:
        - type: RequestRedirect
          requestRedirect: {{path: {{type: ReplaceFullPath, replaceFullPath: /{path}}}}}
"""
        )
    key, chain = Root().issue(x509.DNSName("first.org"))
    data = {name: base64.b64encode(pem).decode() for name, pem in (("tls.key", key), ("tls.crt", chain))}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "edge", "namespace": "shop"}}
    found.append(json.dumps({**secret, "type": "kubernetes.io/tls", "data": data}))
    return "\n---\n".join(found)


@pytest.mark.parametrize(
    ("name", "host", "answer"),
    [
        ("first.org", "first.org", "v1"),
        ("first.org", "second.org", "421"),
        ("first.org", "unknown.org", "404"),
        ("second.org", "second.org", "v2"),
        ("second.org", "first.org", "421"),
        ("second.org", "unknown.org", "421"),
        ("third.wild.org", "third.wild.org", "v3"),
        ("third.wild.org", "fifth.wild.org", "v3"),
        ("third.wild.org", "fourth.wild.org", "421"),
        ("third.wild.org", "second.org", "421"),
        ("third.wild.org", "unknown.org", "421"),
        ("fourth.wild.org", "fourth.wild.org", "v4"),
        ("fourth.wild.org", "fifth.wild.org", "421"),
        ("unknown.org", "first.org", "v1"),
        ("unknown.org", "unknown.org", "404"),
    ],
)
def test_a_request_for_another_listeners_host_is_misdirected(name: str, host: str, answer: str):
    resources = resources_of(view_of(mesh_of(_documents()), caller(EDGE)))
    said = explain(resources, parse_call("GET", f"https://{name}/here", (("host", host),)))
    assert answer in said.outcome, said
