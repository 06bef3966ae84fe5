"""``weft inject`` and ``weft uninject``: every kind that has pods, twice, and back."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from weft.agent.app_probes import parse_app_probes
from weft.agent.config import parse_port
from weft.cli.injection import Told, injected, removed
from weft.cli.pods import Settings
from weft.kit.errors import UserError

SETTINGS = Settings(image="weft:1", join_url="https://weft.weft-system:7072")
POD = """\
      # the reviews of products
      labels: {app: reviews, version: "v1"}
    spec:
      serviceAccountName: reviews
      containers:
      - name: web   # not a page
        image: 'reviews:1'
        ports:
        - {name: http-web, containerPort: 9080}
        readinessProbe:
          httpGet: {path: /ready, port: http-web}
          timeoutSeconds: 3
          periodSeconds: 2
        livenessProbe:
          tcpSocket:
            port: 9080
        env:
        - name: LEVEL
          value: "on"
"""


def workload(kind: str) -> str:
    """A manifest of a kind, in an own style."""
    pod = "    metadata:\n" + POD
    if kind == "CronJob":
        pod = "\n".join("    " + line if line else line for line in pod.splitlines()) + "\n"
        head = "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: reviews\nspec:\n  jobTemplate:\n    spec:\n"
        return f"{head}      template:\n{pod}"
    if kind == "Pod":
        lines = [line[4:] for line in ("    metadata:\n      name: reviews\n" + POD).splitlines()]
        return "apiVersion: v1\nkind: Pod\n" + "\n".join(lines) + "\n"
    return f"# {kind}\napiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: reviews\nspec:\n  template:\n{pod}"


KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")


def inject(text: str, settings: Settings = SETTINGS) -> tuple[str, list[Told]]:
    told: list[Told] = []
    return injected(text, "test", settings, "shop", told.append), told


def uninject(text: str) -> str:
    return removed(text, "test", lambda _: None)


def pod_of(text: str) -> Any:
    content = yaml.safe_load(text)
    for step in {"Pod": (), "CronJob": ("spec", "jobTemplate", "spec", "template")}.get(
        content["kind"], ("spec", "template")
    ):
        content = content[step]
    return content


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pod_gets_a_native_sidecar_and_loses_it_again(kind: str) -> None:
    text = workload(kind)
    changed, told = inject(text)
    assert [(one.outcome, one.notes) for one in told] == [("injected", ())]
    pod = pod_of(changed)
    sidecar = pod["spec"]["initContainers"][0]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("weft-proxy", "Always")
    assert sidecar["args"][:7] == ["run", "--service", "reviews", "--name", "$(POD_NAME)", "--address", "$(POD_IP)"]
    assert "# not a page" in changed, "comments stay"
    assert "'reviews:1'" in changed, "quotes stay"
    assert inject(changed)[0] == changed, "a second time changes nothing"
    assert uninject(changed) == text
    assert uninject(text) == text


def test_probes_are_the_agents_and_what_they_were_is_what_it_asks() -> None:
    changed, _ = inject(workload("Deployment"))
    (container,) = pod_of(changed)["spec"]["containers"]
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/app-health/web/readyz", "port": 15021},
        "timeoutSeconds": 3,
        "periodSeconds": 2,
    }
    assert container["livenessProbe"] == {"httpGet": {"path": "/app-health/web/livez", "port": 15021}}
    variables = {one["name"]: one.get("value") for one in pod_of(changed)["spec"]["initContainers"][0]["env"]}
    probes = {one.path: one.probe for one in parse_app_probes(variables["WEFT_APP_PROBES"])}
    ready, live = probes["/app-health/web/readyz"], probes["/app-health/web/livez"]
    assert (ready.kind.value, ready.target, ready.port, ready.timeout) == ("http", "/ready", 9080, 3.0)
    assert (live.kind.value, live.port) == ("tcp", 9080)


def test_the_application_finds_the_mesh_and_keeps_what_it_had() -> None:
    changed, _ = inject(workload("Deployment"))
    (container,) = pod_of(changed)["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["LEVEL"] == "on"
    assert variables["HTTP_PROXY"] == "http://127.0.0.1:15001"
    args = pod_of(changed)["spec"]["initContainers"][0]["args"]
    assert args[args.index("--http-proxy-port") + 1] == "15001"
    port = parse_port(args[args.index("--port") + 1])
    assert (port.name, port.port, port.app_port, port.protocol) == ("http-web", 9080, 9080, "http")


def test_capture_gives_the_sidecar_one_right_and_takes_the_proxy_from_the_application() -> None:
    text, _ = inject(workload("Deployment"), Settings(image="w", join_url="https://weft:7072", capture=True))
    spec = yaml.safe_load(text)["spec"]["template"]["spec"]
    (sidecar,), (web,) = spec["initContainers"], spec["containers"]
    assert sidecar["securityContext"]["capabilities"] == {"add": ["NET_ADMIN"], "drop": ["ALL"]}
    assert (sidecar["securityContext"]["runAsUser"], sidecar["securityContext"]["runAsGroup"]) == (0, 1337)
    assert "--capture=pod" in sidecar["args"]
    assert "HTTP_PROXY" not in {one["name"] for one in web["env"]}
    assert inject(text, Settings(image="w", join_url="https://weft:7072", capture=True))[0] == text
    assert uninject(text) == workload("Deployment")


def test_a_service_of_the_same_files_says_what_callers_call() -> None:
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: ratings-of-products, namespace: shop}\nspec:\n"
        "  selector: {app: reviews}\n  ports:\n  - {port: 80, targetPort: http-web, appProtocol: kubernetes.io/h2c}\n"
        "  - {port: 53, protocol: UDP}\n"
    )
    changed, told = inject(f"{service}---\n{workload('Deployment')}")
    before, _, after = changed.partition("---\n")
    assert before == service, "what has no pods passes letter by letter"
    args = pod_of(after)["spec"]["initContainers"][0]["args"]
    assert args[2] == "ratings-of-products"
    assert [args[at + 1] for at, word in enumerate(args) if word == "--port"] == ["80:9080/http2"]
    assert "may serve ratings-of-products only by a role" in told[0].notes[0]
    assert uninject(changed) == f"{service}---\n{workload('Deployment')}"


@pytest.mark.parametrize(
    ("change", "outcome", "why"),
    [
        (("labels: {", 'labels: {sidecar.istio.io/inject: "false", '), "skipped", "label sidecar.istio.io/inject"),
        (("spec:\n      service", "spec:\n      hostNetwork: true\n      service"), "refused", "network of its host"),
        (("- name: web ", "- name: istio-proxy "), "refused", "the sidecar of Istio"),
        (("containerPort: 9080", "containerPort: many"), "refused", "not as Kubernetes has them"),
        (("- name: web ", "- name: weft-proxy "), "refused", "a container of its own"),
        (("spec:\n      service", "spec:\n      volumes: [{name: weft-ca}]\n      service"), "refused", "weft-ca"),
        (("spec:\n      service", "spec:\n      os: {name: windows}\n      service"), "refused", "for Windows"),
        (
            ("spec:\n      service", "spec:\n      nodeSelector: {kubernetes.io/os: windows}\n      service"),
            "refused",
            "for",
        ),
    ],
)
def test_pods_without_a_sidecar_stay_as_they_are_and_it_is_said_why(
    change: tuple[str, str], outcome: str, why: str
) -> None:
    text = workload("Deployment").replace(*change)
    changed, told = inject(text)
    assert changed == text
    assert told[0].outcome == outcome
    assert why in told[0].why


def test_istios_annotations_are_followed_or_it_is_said_that_they_are_not() -> None:
    annotations = {
        "sidecar.istio.io/proxyImage": "mine:2",
        "sidecar.istio.io/proxyCPULimit": "2",
        "sidecar.istio.io/rewriteAppHTTPProbers": "false",
        "traffic.sidecar.istio.io/excludeInboundPorts": "9080",
        "traffic.sidecar.istio.io/excludeOutboundPorts": "6379",
        "proxy.istio.io/config": "{concurrency: 2, terminationDrainDuration: 20s, image: {},"
        " holdApplicationUntilProxyStarts: true}",
        "sidecar.istio.io/whatever": "1",
        "example.com/own": "1",
    }
    text = workload("Deployment").replace(
        "      labels:", f"      annotations: {json.dumps(annotations)}\n      labels:"
    )
    changed, told = inject(text)
    pod = pod_of(changed)
    sidecar = pod["spec"]["initContainers"][0]
    assert sidecar["image"] == "mine:2"
    assert sidecar["resources"]["limits"] == {"cpu": "2"}
    assert "--port" not in sidecar["args"]
    assert sidecar["args"][sidecar["args"].index("--workers") + 1] == "2"
    assert sidecar["args"][sidecar["args"].index("--drain-seconds") + 1] == "20"
    assert pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/ready"
    said = "\n".join(told[0].notes)
    for name in ("traffic.sidecar.istio.io/excludeOutboundPorts", "proxy.istio.io/config", "sidecar.istio.io/whatever"):
        assert f"{name} is not followed" in said
    assert "own" not in said
    assert uninject(changed) == text


def test_what_somebody_changed_since_stays_and_the_sidecar_goes() -> None:
    changed, _ = inject(workload("Deployment"))
    edited = changed.replace("'reviews:1'", "'reviews:2'")
    back = uninject(edited)
    assert yaml.safe_load(back) == yaml.safe_load(workload("Deployment").replace("reviews:1", "reviews:2"))
    assert "weft" not in back


def test_an_object_as_the_cluster_gives_it_loses_the_sidecar_too() -> None:
    content = yaml.safe_load(inject(workload("Deployment"))[0])
    content["status"] = {"replicas": 1}
    content["metadata"]["uid"] = "1"
    back = yaml.safe_load(uninject(yaml.safe_dump(content)))
    expected = yaml.safe_load(workload("Deployment"))
    expected["status"], expected["metadata"]["uid"] = {"replicas": 1}, "1"
    assert back == expected


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps])
def test_several_objects_as_the_cluster_gives_them_stay_several(write: Callable[[Any], str]) -> None:
    text = "---\n".join(map(workload, KINDS))
    given = [one | {"status": {"x": 1}} for one in yaml.safe_load_all(inject(text)[0])]
    back = list(yaml.safe_load_all(uninject("---\n" + "\n---\n".join(map(write, given)))))
    assert back == [one | {"status": {"x": 1}} for one in yaml.safe_load_all(text)]


def test_json_and_lists_are_manifests_too() -> None:
    items = [yaml.safe_load(workload(kind)) for kind in ("Deployment", "CronJob")]
    items.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"kind": "Pod"}})
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    changed, told = inject(text)
    assert [one.outcome for one in told] == ["injected", "injected"]
    found = json.loads(changed)["items"]
    assert found[0]["spec"]["template"]["spec"]["initContainers"][0]["name"] == "weft-proxy"
    assert found[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert found[2] == items[2]
    assert inject(changed)[0] == changed
    assert uninject(changed) == text


def test_documents_that_are_none_of_ours_pass_letter_by_letter() -> None:
    other = "# my own\na:   [1,2]\n---\n\n--- # nothing\nkind: ConfigMap\ndata:\n  x: |\n    --- not a marker\n...\n"
    assert inject(other)[0] == other
    assert uninject(other) == other
    whole = f"{other}---\n{workload('Job')}---\nkind:   Namespace\n"
    changed, _ = inject(whole)
    assert changed.startswith(other)
    assert changed.endswith("---\nkind:   Namespace\n")
    assert uninject(changed) == whole


def test_indented_lists_stay_indented() -> None:
    containers = "    - name: web\n      image: x\n      args:\n        - a\n"
    text = f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n{containers}"
    changed, _ = inject(text)
    assert containers.rstrip() in changed
    assert uninject(changed) == text


def test_other_options_take_the_place_of_those_before() -> None:
    changed, _ = inject(workload("Deployment"))
    again, _ = inject(changed, Settings(image="weft:2", join_url="https://other:1"))
    assert pod_of(again)["spec"]["initContainers"][0]["image"] == "weft:2"
    assert again.count("name: weft-proxy") == 1
    assert uninject(again) == workload("Deployment")


def test_what_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(UserError, match=r"test is no YAML \(line 4\)"):
        inject("kind: Pod\nspec:\n  a: [\n")


def test_native_sidecars_of_its_own_are_in_the_mesh_and_what_ends_before_is_not() -> None:
    own = (
        "      initContainers:\n"
        "      - {name: migrate, image: m}\n"
        "      - name: cache\n        image: c\n        restartPolicy: Always\n"
        "        ports: [{name: tcp-cache, containerPort: 6379}]\n"
        "        startupProbe: {tcpSocket: {port: tcp-cache}}\n"
    )
    text = workload("Deployment").replace("      containers:\n", own + "      containers:\n")
    changed, _ = inject(text)
    sidecar, migrate, cache = pod_of(changed)["spec"]["initContainers"]
    assert sidecar["name"] == "weft-proxy"
    assert migrate == {"name": "migrate", "image": "m"}
    assert cache["startupProbe"] == {"httpGet": {"path": "/app-health/cache/startupz", "port": 15021}}
    assert {"name": "HTTP_PROXY", "value": "http://127.0.0.1:15001"} in cache["env"]
    ports = [sidecar["args"][at + 1] for at, word in enumerate(sidecar["args"]) if word == "--port"]
    assert ports == ["tcp-cache:6379:6379/tcp", "http-web:9080:9080/http"]
    assert uninject(changed) == text
    edited = yaml.safe_load(changed)
    edited["spec"]["replicas"] = 2
    expected = yaml.safe_load(text)
    expected["spec"]["replicas"] = 2
    assert yaml.safe_load(uninject(yaml.safe_dump(edited))) == expected


@pytest.mark.parametrize(("size", "kept"), [(60_000, True), (100_000, False), (300_000, False)])
def test_what_was_there_is_kept_where_kubectl_apply_still_has_room(size: int, kept: bool) -> None:
    noise = base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()
    text = workload("Deployment").replace('value: "on"', f'value: "{noise}"')
    changed, _ = inject(text)
    annotations = yaml.safe_load(changed)["metadata"].get("annotations", {})
    assert ("weft.dev/original" in annotations) is kept
    applied = sum(map(len, annotations.values())) + len(json.dumps(yaml.safe_load(changed), separators=(",", ":")))
    assert applied < 256 * 1024 or size == 300_000
    assert yaml.safe_load(uninject(changed)) == yaml.safe_load(text)


def test_a_sidecar_without_capture_passes_the_strictest_pod_security_level() -> None:
    """By Kubernetes' Pod Security Standards, ``restricted``: what a container and its volumes are asked."""
    spec = pod_of(inject(workload("Deployment"))[0])["spec"]
    rights = spec["initContainers"][0]["securityContext"]
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert rights["runAsNonRoot"] is True
    assert rights["runAsUser"] != 0
    assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any("hostPort" in port for port in spec["initContainers"][0].get("ports", ()))
    kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
    assert kinds <= {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
