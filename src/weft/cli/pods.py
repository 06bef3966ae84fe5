"""The sidecar of a pod: what ``weft inject`` puts into a pod's template, and how it is taken out again.

The agent is a native sidecar: Kubernetes starts it before the application, waits until its Envoy is ready, and ends it
last. Its one annotation has what was there before, so that ``take_out`` leaves nothing.
"""

import json
import math
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from weft.agent.app_probes import PORT as PROBE_PORT
from weft.agent.app_probes import VARIABLE as PROBES
from weft.cli.pod_annotations import Wishes, wants_none, wishes_of
from weft.cli.ported import Served, lasting, numbers_of
from weft.kit.value import Value

ANNOTATION = "weft.dev/injected"
NAME = "weft-proxy"
PROXY_PORT = 15001
_STATE, _TOKEN, _CA = "weft-state", "weft-token", "weft-ca"
_VOLUMES = (_STATE, _TOKEN, _CA)
_STATE_DIR, _TOKEN_DIR, _CA_DIR = "/var/lib/weft", "/var/run/secrets/weft", "/etc/weft"
_READY = "/dev/shm/weft-ready"  # noqa: S108  of this pod alone
"""It ends with the pod's network, and the rules in that; a volume outlives a start of the host, and would let the
application start before there are rules again."""
_KINDS = {"livenessProbe": "livez", "readinessProbe": "readyz", "startupProbe": "startupz"}
_WAYS = ("httpGet", "tcpSocket", "grpc")
_USER = 1337
"""Istio's, so that rules about it hold."""
_GRACE, _STOP = 30, 15
"""Seconds that a Pod has to end where it does not say so (Kubernetes' default), and that follow its drain."""
_OTHERS = {"istio-proxy": "Istio", "linkerd-proxy": "Linkerd", "consul-dataplane": "Consul", "kuma-sidecar": "Kuma"}


class Settings(Value):
    """What all pods of an injection have in common."""

    image: str
    join_url: str
    ca_config_map: str = "weft-ca"
    audience: str = "weft"
    capture: bool = False


class Refused(Value):
    """A pod that gets no sidecar: ``wished`` if somebody said so, else because it cannot have one."""

    why: str
    wished: bool = False


class Injected(Value):
    """A pod that has one now; ``notes`` are for its owner."""

    notes: tuple[str, ...] = ()


Pod = MutableMapping[str, Any]
"""A pod, or the template of pods: ``metadata`` and ``spec``."""


def refusal(pod: Mapping[str, Any]) -> Refused | None:
    """Why a pod gets no sidecar."""
    spec = pod.get("spec") or {}
    if why := wants_none(pod.get("metadata") or {}):
        return Refused(why=why, wished=True)
    if spec.get("hostNetwork"):
        return Refused(why="it uses the network of its host, whose ports its sidecar would take")
    if _of_windows(spec):
        return Refused(why="it is for Windows, which its sidecar is not")
    for container in _containers(spec):
        if (mesh := _OTHERS.get(str(container.get("name")))) is not None:
            return Refused(why=f"it has the sidecar of {mesh} already")
        if container.get("name") == NAME:
            return Refused(why=f"a container of its own is called {NAME}")
    for volume in spec.get("volumes") or ():
        if volume.get("name") in _VOLUMES:
            return Refused(why=f"a volume of its own is called {volume['name']}")
    if not spec.get("containers"):
        return Refused(why="it has no containers")
    return None


def _of_windows(spec: Mapping[str, Any]) -> bool:
    said = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get("kubernetes.io/os")
    return said == "windows"


def _containers(spec: Mapping[str, Any]) -> Iterator[Pod]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def put_in(pod: Pod, served: Served, settings: Settings) -> Injected:
    """Give a pod a sidecar; it must not have one, nor a reason against it."""
    metadata, spec = _mapping(pod, "metadata"), pod["spec"]
    made_annotations = "annotations" not in metadata or metadata["annotations"] is None
    annotations = _mapping(metadata, "annotations")
    wishes = wishes_of(annotations)
    notes = [*wishes.notes, *_notes(served, spec, wishes)]
    record: dict[str, Any] = {"version": 1}
    if made_annotations:
        record["annotations"] = "made"
    probes: dict[str, Any] = {}
    variables = _variables(served.service, capture=settings.capture)
    for container in lasting(spec):
        record.setdefault("containers", {})[container["name"]] = _change(
            container, variables, wishes, probes, spec, notes
        )
    for name in ("initContainers", "volumes"):
        if spec.get(name) is None:
            record.setdefault("made", []).append(name)
            spec[name] = []
    spec["initContainers"].insert(0, _sidecar(served, settings, wishes, probes))
    spec["volumes"].extend(_volumes(settings))
    annotations[ANNOTATION] = json.dumps(record, separators=(",", ":"), sort_keys=True)
    return Injected(notes=tuple(notes))


def take_out(pod: Pod) -> bool:
    """Remove the sidecar that ``put_in`` gave a pod, and leave what others changed since; whether it had one."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    if ANNOTATION not in annotations:
        return False
    record = json.loads(annotations.pop(ANNOTATION))
    if not annotations and record.get("annotations") == "made":
        del metadata["annotations"]
        if not metadata:
            del pod["metadata"]
    for container in _containers(spec):
        _restore(container, record["containers"].get(container.get("name"), {}))
    _remove(spec, "initContainers", (NAME,), record)
    _remove(spec, "volumes", _VOLUMES, record)
    return True


def _change(
    container: Pod, variables: list[dict[str, Any]], wishes: Wishes, probes: dict[str, Any], spec: Pod, notes: list[str]
) -> dict[str, Any]:
    """Give a container the way into the mesh; what it takes to undo that."""
    done: dict[str, Any] = {}
    if container.get("env") is None:
        done["env"] = "made"
        container["env"] = []
    own = {one.get("name") for one in container["env"]}
    if own & {"HTTP_PROXY", "http_proxy"}:
        notes.append(
            f"container {container['name']} has an HTTP_PROXY of its own: its calls do not go through the mesh"
        )
    added = [one for one in variables if one["name"] not in own]
    container["env"].extend(json.loads(json.dumps(added)))
    done["added"] = [one["name"] for one in added]
    for which, path in _rewritten(container) if wishes.rewrite_probes else ():
        probe = container[which]
        way = next(one for one in _WAYS if one in probe)
        ours = f"/app-health/{container['name']}/{path}"
        asked = _resolved(probe[way], [container])
        if asked is None:
            notes.append(f"the {which} of {container['name']} names a port that it has not: it stays as it is")
            continue
        probes[ours] = {way: asked, **({"timeoutSeconds": t} if (t := probe.get("timeoutSeconds")) else {})}
        done.setdefault("probes", {})[which] = {way: json.loads(json.dumps(probe[way]))}
        _replace(probe, way, "httpGet", {"path": ours, "port": PROBE_PORT})
    return done


def _replace(mapping: Pod, old: str, new: str, value: Any) -> None:
    """Put a key in the place of another, so that the order of the others stays."""
    place = list(mapping).index(old)
    del mapping[old]
    if hasattr(mapping, "insert"):
        mapping.insert(place, new, value)
    else:
        rest = {key: mapping.pop(key) for key in list(mapping)[place:]}
        mapping.update({new: value, **rest})


def _rewritten(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for which, path in _KINDS.items():
        probe = container.get(which)
        if probe and any(way in probe for way in _WAYS):
            yield which, path


def _resolved(asked: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What a probe asks, with the number of its port. ``host`` is left: nothing but the pod is asked."""
    port = asked.get("port")
    number = numbers_of(containers).get(str(port)) if isinstance(port, str) and not port.isdecimal() else port
    if number is None:
        return None
    kept = {key: value for key, value in asked.items() if key in ("path", "scheme", "httpHeaders", "service")}
    plain: dict[str, Any] = json.loads(json.dumps({**kept, "port": int(number)}))
    return plain


def _restore(container: Pod, done: Mapping[str, Any]) -> None:
    for which, was in done.get("probes", {}).items():
        probe = container.get(which)
        if probe and str((probe.get("httpGet") or {}).get("path", "")).startswith("/app-health/"):
            ((way, asked),) = was.items()
            _replace(probe, "httpGet", way, asked)
    env = container.get("env")
    if env is None:
        return
    for at in reversed(range(len(env))):
        if env[at].get("name") in done.get("added", ()):
            del env[at]
    if not env and done.get("env") == "made":
        del container["env"]


def _remove(spec: Pod, key: str, names: tuple[str, ...], record: Mapping[str, Any]) -> None:
    items = spec.get(key)
    if items is None:
        return
    for at in reversed(range(len(items))):
        if items[at].get("name") in names:
            del items[at]
    if not items and key in record.get("made", ()):
        del spec[key]


def _mapping(parent: Pod, key: str) -> Pod:
    if parent.get(key) is None:
        parent[key] = {}
    found: Pod = parent[key]
    return found


def _variables(service: str, *, capture: bool) -> list[dict[str, Any]]:
    proxy = f"http://127.0.0.1:{PROXY_PORT}"
    exempt = "localhost,127.0.0.1,::1"
    ways = {"HTTP_PROXY": proxy, "http_proxy": proxy, "NO_PROXY": exempt, "no_proxy": exempt}
    plain = ({} if capture else ways) | {"WEFT_SERVICE": service}
    named = {"name": "WEFT_WORKLOAD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [*({"name": name, "value": value} for name, value in plain.items()), named]


def _sidecar(served: Served, settings: Settings, wishes: Wishes, probes: Mapping[str, Any]) -> dict[str, Any]:
    """The agent's container; its ``startupProbe`` holds the application back until Envoy is ready."""
    variables: list[dict[str, Any]] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "WEFT_STATE", "value": _STATE_DIR},
        {"name": "TMPDIR", "value": _STATE_DIR},
    ]
    if settings.capture:
        variables.append({"name": "WEFT_RUNTIME", "value": _STATE_DIR})
    if probes:
        variables.append({"name": PROBES, "value": json.dumps(probes, separators=(",", ":"), sort_keys=True)})
    limits: dict[str, dict[str, str]] = {"requests": {"cpu": "50m", "memory": "96Mi"}}
    for kind, what, amount in wishes.resources:
        limits.setdefault(kind, {})[what] = amount
    return {
        "name": NAME,
        "image": wishes.image or settings.image,
        "restartPolicy": "Always",
        "args": [*_options(served, settings, wishes), "--", "sh", "-c", f"touch {_READY}; exec sleep infinity"],
        "env": variables,
        "startupProbe": {"exec": {"command": ["test", "-e", _READY]}, "periodSeconds": 1, "failureThreshold": 120},
        "resources": limits,
        "securityContext": _rights(capture=settings.capture),
        "volumeMounts": [
            {"name": _STATE, "mountPath": _STATE_DIR},
            {"name": _TOKEN, "mountPath": _TOKEN_DIR, "readOnly": True},
            {"name": _CA, "mountPath": _CA_DIR, "readOnly": True},
        ],
    }


def _rights(*, capture: bool) -> dict[str, Any]:
    """None; for capture that of the pod's own network, which Kubernetes gives to root alone. Rules spare its group."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {**({"add": ["NET_ADMIN"]} if capture else {}), "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsGroup": _USER,
        "runAsNonRoot": not capture,
        "runAsUser": 0 if capture else _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _options(served: Served, settings: Settings, wishes: Wishes) -> list[str]:
    """What ``weft run`` is told."""
    ports = [port for port in served.ports if port.app_port not in wishes.excluded_ports]
    return [
        *("run", "--service", served.service, "--name", "$(POD_NAME)", "--address", "$(POD_IP)"),
        *(word for port in ports for word in ("--port", port.notation)),
        *("--kubernetes-token-file", f"{_TOKEN_DIR}/token", "--ca-file", f"{_CA_DIR}/ca.pem"),
        *("--join-url", settings.join_url),
        *(("--capture=pod",) if settings.capture else ("--http-proxy-port", str(PROXY_PORT))),
        *("--drain-seconds", f"{wishes.drain_seconds:g}"),
        *(("--workers", str(wishes.workers)) if wishes.workers else ()),
    ]


def _volumes(settings: Settings) -> list[dict[str, Any]]:
    token = {"audience": settings.audience, "expirationSeconds": 3600, "path": "token"}
    return [
        {"name": _STATE, "emptyDir": {}},
        {"name": _TOKEN, "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": _CA, "configMap": {"name": settings.ca_config_map}},
    ]


def _notes(served: Served, spec: Mapping[str, Any], wishes: Wishes) -> Iterator[str]:
    grace = spec.get("terminationGracePeriodSeconds", _GRACE)
    if isinstance(grace, int) and grace < wishes.drain_seconds + _STOP:
        wanted = math.ceil(wishes.drain_seconds + _STOP)
        drains = f"it drains for {wishes.drain_seconds:g} s, and is killed after {grace}"
        yield f"{drains}: set terminationGracePeriodSeconds to {wanted} or more"
    for port in served.ports:
        if not port.sure:
            name = f"{port.protocol}-{port.name or port.port}"
            yield f"port {port.port} does not say its protocol and is taken as {port.protocol}: name it {name}"
    account = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
    if served.ports and account != served.service:
        yield f"its account {account} may serve {served.service} only by a role: see docs/identity.md"
