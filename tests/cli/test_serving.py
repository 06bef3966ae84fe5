"""Which account may serve which service: its own name, what roles say, and nothing else, at a whole control plane."""

import base64
import json
from pathlib import Path

import pytest
from cryptography import x509

from tests.cli.conftest import Running, Weft
from tests.cli.workload import Workload
from tests.xds.certificates import Root

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s%s}
spec: {selector: {app: %s}, ports: [{name: http, port: 9080}]}
"""

EDGE = """
apiVersion: v1
kind: Secret
metadata: {name: edge, namespace: shop}
type: kubernetes.io/tls
data: %s
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers:
    - port: {number: 8443, name: https, protocol: HTTPS}
      hosts: [shop.example.com]
      tls: {mode: SIMPLE, credentialName: edge}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: shop}
spec: {hosts: [shop.example.com], gateways: [edge], http: [{directResponse: {status: 200}}]}
"""


def joined(control_plane: Running, weft: Weft, account: str, *options: str) -> Workload:
    made = weft("token", "create", "-n", "shop", "--service-account", account, *options)
    assert made.code == 0, made.err
    workload = Workload(control_plane)
    assert workload.join(token=made.out.strip()) == 200
    return workload


def test_an_account_registers_for_its_own_service_alone_until_it_has_a_role(control_plane: Running, weft: Weft) -> None:
    batch = joined(control_plane, weft, "batch")
    assert batch.register("batch-1", "batch").status_code == 200
    refused = batch.register("orders-1", "orders")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "may_not")
    entries = json.loads(weft("get", "workloadentries", "-n", "shop", "-o", "json").out)["items"]
    assert "orders-1" not in [entry["metadata"]["name"] for entry in entries]
    made = weft("token", "create", "-n", "shop", "--service-account", "batch", "--service", "orders")
    assert "batch may serve orders: Role serve-orders, RoleBinding batch-serves-orders" in made.err
    assert batch.register("orders-1", "orders").status_code == 200, "the same certificate, the role counts at once"
    assert weft("delete", "rolebinding", "batch-serves-orders", "-n", "shop").code == 0
    assert batch.register("orders-1", "orders").status_code == 403
    assert "register workloads" in weft("audit", "--outcome", "denied").out


def test_a_token_of_a_service_needs_no_account(control_plane: Running, weft: Weft) -> None:
    made = weft("token", "create", "-n", "shop", "--service", "alone")
    workload = Workload(control_plane)
    assert workload.join(token=made.out.strip()) == 200
    assert workload.issued["service_account"] == "alone"
    assert workload.register("alone-1", "alone").status_code == 200
    assert weft("token", "create", "-n", "shop").code == 2


def test_who_may_make_tokens_but_no_roles_cannot_give_services_away(weft: Weft, tmp_path: Path) -> None:
    role = tmp_path / "role.yaml"
    role.write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: joins, namespace: shop}\n"
        "rules: [{apiGroups: [weft.dev], resources: [jointokens], verbs: [create]}]\n---\n"
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: joins, namespace: shop}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: joins}\n"
        "subjects: [{kind: User, name: joiner, apiGroup: rbac.authorization.k8s.io}]\n"
    )
    assert weft("apply", "-f", str(role)).code == 0
    secret = tmp_path / "joiner.token"
    weft("auth", "token", "create", "--user", "joiner", "--to-file", str(secret))
    asked = ("token", "create", "-n", "shop", "--service-account", "x", "--token-file", str(secret))
    assert weft(*asked).code == 0
    refused = weft(*asked, "--service", "payments")
    assert refused.code == 5
    assert "cannot" in refused.err


def test_a_sidecar_cannot_say_that_it_is_of_another_service(control_plane: Running, weft: Weft) -> None:
    thief = joined(control_plane, weft, "thief")
    with thief.introduce("thief-1", {"app": "payments"}) as stream:
        assert "PERMISSION_DENIED: the account thief of shop may not serve payments" in stream.refusal()
    with thief.introduce("thief-1", {"app": "thief"}) as stream:
        stream.clusters()


@pytest.mark.parametrize(
    ("name", "namespace"), [("thief-2", "bank"), ("thief-2.bank", "shop")], ids=["namespace", "name"]
)
def test_a_sidecar_cannot_say_that_it_is_of_another_namespace(
    control_plane: Running, weft: Weft, name: str, namespace: str
) -> None:
    thief = joined(control_plane, weft, "thief")
    with thief.introduce(name, {"app": "thief"}, namespace=namespace, workload=name.partition(".")[0]) as stream:
        assert "PERMISSION_DENIED" in stream.refusal()


def test_a_sidecar_sees_what_is_exported_to_its_namespace_and_nothing_else(
    control_plane: Running, weft: Weft, tmp_path: Path
) -> None:
    kept = ", annotations: {networking.istio.io/exportTo: .}"
    given = ", annotations: {networking.istio.io/exportTo: shop}"
    for name, namespace, more in (("vault", "bank", kept), ("desk", "bank", given), ("own", "shop", kept)):
        file = tmp_path / f"{name}.yaml"
        file.write_text(SERVICE % (name, namespace, more, name))
        assert weft("apply", "-f", str(file)).code == 0
    visitor = joined(control_plane, weft, "visitor")
    with visitor.introduce("visitor-1", {"app": "visitor"}) as stream:
        names = stream.clusters()
    assert "outbound|9080||desk.bank.svc.cluster.local" in names
    assert "outbound|9080||own.shop.svc.cluster.local" in names
    assert not [name for name in names if "vault" in name]


def test_who_says_that_it_is_a_gateway_is_given_no_key_for_that(
    control_plane: Running, weft: Weft, tmp_path: Path
) -> None:
    key, chain = Root().issue(x509.DNSName("shop.example.com"))
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    file = tmp_path / "edge.yaml"
    file.write_text(EDGE % json.dumps(data))
    assert weft("apply", "-f", str(file)).code == 0
    place = {"bind": "127.0.0.1"}

    def refused(name: str) -> bool:
        shown = json.loads(weft("proxy", "status", "-o", "json").out)["items"]
        findings = next(proxy["findings"] for proxy in shown if proxy["name"] == f"{name}.shop")
        return "W0256" in [finding["code"] for finding in findings]

    thief = joined(control_plane, weft, "thief")
    with thief.introduce("thief-9", {"app": "thief", "istio": "edge"}, gateway=place) as stream:
        stream.clusters()
        assert refused("thief-9")
        said = weft("proxy", "status").err
        assert "thief-9.shop: warning[W0256]: the account shop/thief may not read the Secret edge" in said
        assert "weft token create --gateway" in said
    ingress = joined(control_plane, weft, "ingress", "--gateway")
    with ingress.introduce("ingress-1", {"app": "ingress", "istio": "edge"}, gateway=place) as stream:
        stream.clusters()
        assert not refused("ingress-1")


def test_a_workloads_certificate_opens_nothing_of_the_api(control_plane: Running, weft: Weft) -> None:
    visitor = joined(control_plane, weft, "visitor")
    for path in ("/weft/v1/proxies", "/api/v1/secrets", "/v1/groups/unknown"):
        assert visitor.call("GET", path).status_code in (404, 409), "the agents' port has none of it"


def test_a_token_of_a_host_is_for_that_host(control_plane: Running, weft: Weft) -> None:
    elsewhere = weft("token", "create", "-n", "shop", "--service", "web", "--host", "192.0.2.0/24")
    here = weft("token", "create", "-n", "shop", "--service", "web", "--host", "127.0.0.1")
    assert "from 127.0.0.1" in here.err
    assert "192.0.2.0/24" in weft("token", "list").out
    assert Workload(control_plane).join(token=elsewhere.out.strip()) == 401
    assert Workload(control_plane).join(token=here.out.strip()) == 200
    assert weft("token", "create", "-n", "shop", "--service", "web", "--host", "nonsense").code == 1
