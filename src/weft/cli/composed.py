"""A compose file with sidecars: each service moves into the network of its own, which starts first.

The sidecar has the service's networks, names and published ports; the service keeps the rest. A job makes the join
tokens once the control plane answers, each in the volume of its sidecar, where nobody else reads it. Source: the
Compose Specification, ``network_mode``, ``depends_on``.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from weft.agent.config import parse_port
from weft.cli.pods import PROXY_PORT
from weft.cli.ported import protocol_or_guess
from weft.kit.errors import UserError
from weft.kit.value import Value

PLANE, JOINING, SUFFIX = "weft", "weft-joining", "-weft"
LABEL, PORTS_LABEL = "weft.dev/inject", "weft.dev/ports"
RECORD = "x-weft"
_STATE = "/var/lib/weft"
_READY = "/tmp/weft-ready"  # noqa: S108  in the sidecar's container
_USER = "1337:1337"
_MOVED = (
    "ports",
    "expose",
    "hostname",
    "domainname",
    "dns",
    "dns_opt",
    "dns_search",
    "extra_hosts",
    "mac_address",
    "links",
)
_OFF = ("false", "no", "off")
_SHORT = re.compile(r"(?:.*:)?(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?(?:/(?P<of>tcp|udp))?")

Service = MutableMapping[str, Any]
Say = Callable[[str], None]


class Choices(Value):
    """What a user can choose."""

    image: str
    namespace: str = "default"


def mesh(content: MutableMapping[str, Any], choices: Choices, say: Say) -> None:
    """Put every service that can be into the mesh, and a control plane beside. Raises ``UserError``."""
    services = content.get("services")
    if not isinstance(services, dict) or not services:
        raise UserError("there are no services", help="name a compose file with -f")
    _check(services)
    record: dict[str, Any] = {}
    for name, service in list(services.items()):
        if why := _reason(name, service or {}):
            say(f"{name} stays as it is: {why}")
            continue
        sidecar = _sidecar(name, service, choices, say)
        record[name] = _move(name, service, sidecar)
        services[f"{name}{SUFFIX}"] = sidecar
        say(f"{name} has the sidecar {name}{SUFFIX}, which has its networks and published ports")
    if not record:
        raise UserError("no service can have a sidecar", help="the reasons are above")
    services[PLANE] = _plane(choices)
    services[JOINING] = _joining(sorted(record), choices)
    say(f"{PLANE} is the control plane, {JOINING} lets the sidecars join")
    made = _mapping(content, "volumes")
    for volume in _volumes(record):
        content["volumes"][volume] = {}
    content[RECORD] = {"services": record, **({"volumes": "made"} if made else {})}


def unmesh(content: MutableMapping[str, Any]) -> bool:
    """Take out what ``mesh`` put in; what others changed since stays. Whether there was anything."""
    record = content.pop(RECORD, None)
    if not isinstance(record, dict):
        return False
    services = content["services"]
    for name, was in record["services"].items():
        sidecar = services.pop(f"{name}{SUFFIX}", {})
        if name in services:
            _move_back(name, services[name], sidecar, was)
    for name in (PLANE, JOINING):
        services.pop(name, None)
    volumes = content.get("volumes") or {}
    for volume in _volumes(record["services"]):
        volumes.pop(volume, None)
    if not volumes and record.get("volumes") == "made":
        content.pop("volumes", None)
    return True


def _check(services: Mapping[str, Any]) -> None:
    taken = {PLANE, JOINING} | {f"{name}{SUFFIX}" for name in services}
    for name in services:
        if name in taken:
            raise UserError(f"the service {name} has a name that weft needs", help="call it otherwise")


def _reason(name: str, service: Mapping[str, Any]) -> str:
    """Why a service gets no sidecar, "" if it does."""
    if str(_label(service, LABEL)).lower() in _OFF:
        return f"its label {LABEL} says so"
    if service.get("network_mode"):
        return f"its network_mode is {service['network_mode']}"
    if int((service.get("deploy") or {}).get("replicas") or service.get("scale") or 1) > 1:
        return "replicas cannot share the network of one sidecar: give each a service of its own"
    own = getattr(service, "_ok", set(service))
    merged = [key for key in (*_MOVED, "networks", "depends_on") if key in service and key not in own]
    if merged:
        return f"its {merged[0]} comes from a merge (<<), out of which nothing can be moved"
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
        return "the mesh needs a name of lower-case letters, digits and dashes"
    return ""


def _move(name: str, service: Service, sidecar: Service) -> dict[str, Any]:
    """Move a service into its sidecar's network; what it takes to undo that."""
    was: dict[str, Any] = {}
    for key in _MOVED:
        if key in service:
            sidecar[key] = _own(service.pop(key))
    if "networks" in service:
        was["networks"] = _plain(service["networks"])
    sidecar["networks"] = _aliased(_own(service.pop("networks", None)), name)
    if "profiles" in service:
        sidecar["profiles"] = _plain(service["profiles"])
    service["network_mode"] = f"service:{name}{SUFFIX}"
    before = service.get("depends_on")
    was["depends_on"] = "none" if before is None else "list" if isinstance(before, list) else "map"
    if not isinstance(before, dict):
        service["depends_on"] = {one: {"condition": "service_started"} for one in before or ()}
    service["depends_on"][f"{name}{SUFFIX}"] = {"condition": "service_healthy"}
    was["environment"] = _add_variables(name, service)
    return was


def _add_variables(name: str, service: Service) -> dict[str, Any]:
    proxy, exempt = f"http://127.0.0.1:{PROXY_PORT}", "localhost,127.0.0.1,::1"
    wanted = {"HTTP_PROXY": proxy, "http_proxy": proxy, "NO_PROXY": exempt, "no_proxy": exempt}
    wanted |= {"WEFT_SERVICE": name, "WEFT_WORKLOAD": name}
    made = service.get("environment") is None
    environment = service["environment"] = {} if made else _own(service["environment"])
    if isinstance(environment, dict):
        added = [key for key in wanted if key not in environment]
        environment.update({key: wanted[key] for key in added})
    else:
        known = {str(line).partition("=")[0] for line in environment}
        added = [key for key in wanted if key not in known]
        environment.extend(f"{key}={wanted[key]}" for key in added)
    return {"added": added, "made": made}


def _move_back(name: str, service: Service, sidecar: Service, was: Mapping[str, Any]) -> None:
    for key in _MOVED:
        if key in sidecar:
            service[key] = sidecar[key]
    if "networks" in was:
        service["networks"] = was["networks"]
    service.pop("network_mode", None)
    depends = service.get("depends_on")
    if isinstance(depends, dict):
        depends.pop(f"{name}{SUFFIX}", None)
        if was["depends_on"] == "list":
            service["depends_on"] = list(depends)
        elif was["depends_on"] == "none" and not depends:
            del service["depends_on"]
    _remove_variables(service, was["environment"])


def _remove_variables(service: Service, was: Mapping[str, Any]) -> None:
    environment, added = service.get("environment"), was["added"]
    if isinstance(environment, dict):
        for key in added:
            environment.pop(key, None)
    elif environment is not None:
        environment[:] = [line for line in environment if str(line).partition("=")[0] not in added]
    if was["made"] and not environment:
        service.pop("environment", None)


def _sidecar(name: str, service: Mapping[str, Any], choices: Choices, say: Say) -> dict[str, Any]:
    ports = []
    for number, protocol, sure in _ports(service):
        ports += ["--port", f"{number}:{number}/{protocol}"]
        if not sure:
            say(f"{name}: port {number} does not say its protocol and is taken as {protocol}: label it {PORTS_LABEL}")
    run = ["run", "--service", name, "--name", name, "--address", "auto", *ports]
    run += [
        "--token-file",
        f"{_STATE}/join.token",
        "--ca-file",
        f"{_STATE}/ca.pem",
        "--join-url",
        f"https://{PLANE}:7072",
    ]
    run += ["--http-proxy-port", str(PROXY_PORT), "--", "sh", "-c", f"touch {_READY}; exec sleep infinity"]
    return {
        "image": choices.image,
        "command": run,
        **_confined(),
        "tmpfs": ["/tmp"],  # noqa: S108  in the sidecar's container
        "volumes": [f"{_volume(name)}:{_STATE}"],
        "depends_on": {
            JOINING: {"condition": "service_completed_successfully"},
            PLANE: {"condition": "service_healthy"},  # it ends after all that say goodbye to it
        },
        "stop_grace_period": "30s",
        "healthcheck": _asked(["test", "-e", _READY]),
        "restart": "unless-stopped",
    }


def _plane(choices: Choices) -> dict[str, Any]:
    return {
        "image": choices.image,
        "command": ["up", "--address", "0.0.0.0", "--log-format", "json"],  # noqa: S104  the compose network is its own
        "hostname": PLANE,
        **_confined(),
        "tmpfs": ["/tmp"],  # noqa: S108  in its container
        "volumes": [f"weft-control-plane:{_STATE}"],
        "healthcheck": _asked(["test", "-e", f"{_STATE}/ports.json"]),
        "restart": "unless-stopped",
    }


def _joining(names: list[str], choices: Choices) -> dict[str, Any]:
    """Runs once each time: a sidecar that has not joined yet gets a new token. As root, for volumes are root's.

    It waits for the control plane by itself, too: some engines do not heed conditions.
    """
    one = (
        f"n=0; until [ -e {_STATE}/ports.json ] && weft proxy status > /tmp/said 2>&1; "
        "do n=$$((n + 1)); [ $$n -lt 90 ] || { cat /tmp/said; exit 1; }; sleep 1; done; "
        "for s in $$SERVICES; do d=/sidecars/$$s; "
        f"install -m 644 {_STATE}/ca/root.pem $$d/ca.pem; "
        "if [ ! -e $$d/workloads/$$s/identity.json ]; then "
        'weft token create --namespace "$$NAMESPACE" --service-account $$s --ttl 1h > $$d/join.token.new; '
        "chmod 600 $$d/join.token.new; mv $$d/join.token.new $$d/join.token; fi; "
        f"chown -R {_USER} $$d; done"
    )
    return {
        "image": choices.image,
        "entrypoint": ["sh", "-euc", one],
        "user": "0:0",
        "environment": {
            "SERVICES": " ".join(names),
            "NAMESPACE": choices.namespace,
            "WEFT_STATE": _STATE,
            "WEFT_ADDR": f"https://{PLANE}:7070",
        },
        "volumes": [f"weft-control-plane:{_STATE}:ro", *(f"{_volume(name)}:/sidecars/{name}" for name in names)],
        "depends_on": {PLANE: {"condition": "service_healthy"}},
    }


def _confined() -> dict[str, Any]:
    return {
        "user": _USER,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "environment": {"WEFT_STATE": _STATE},
    }


def _asked(test: list[str]) -> dict[str, Any]:
    return {"test": ["CMD", *test], "interval": "1s", "timeout": "2s", "retries": 120}


def _ports(service: Mapping[str, Any]) -> Iterator[tuple[int, str, bool]]:
    """Each TCP port in the container, its protocol, and whether somebody said that."""
    said = str(_label(service, PORTS_LABEL) or "")
    if said:
        for port in map(parse_port, said.replace(",", " ").split()):
            yield port.port, port.protocol, True
        return
    seen: set[int] = set()
    for entry in (*(service.get("ports") or ()), *(service.get("expose") or ())):
        for number, name, app in _targets(entry):
            if number not in seen:
                seen.add(number)
                protocol, sure = protocol_or_guess(name, app, number)
                yield number, protocol, sure


def _targets(entry: Any) -> Iterator[tuple[int, str, str]]:
    """The container's ports of an entry, with what it says of them."""
    if isinstance(entry, dict):
        if str(entry.get("protocol") or "tcp") == "tcp":
            yield int(entry["target"]), str(entry.get("name") or ""), str(entry.get("app_protocol") or "")
        return
    found = _SHORT.fullmatch(str(entry))
    if found is not None and found["of"] != "udp":
        first = int(found["first"])
        for number in range(first, int(found["last"] or first) + 1):
            yield number, "", ""


def _label(service: Mapping[str, Any], name: str) -> Any:
    labels = service.get("labels") or {}
    if isinstance(labels, dict):
        return labels.get(name)
    pairs = (str(line).partition("=") for line in labels)
    return next((value for key, _, value in pairs if key == name), None)


def _aliased(networks: Any, name: str) -> dict[str, Any]:
    """The networks with the service's name as an alias of the sidecar in each."""
    if not networks:
        networks = ["default"]
    found: dict[str, Any] = networks if isinstance(networks, dict) else {str(one): None for one in networks}
    for network, said in found.items():
        said = found[network] = dict(said or {})
        said["aliases"] = [*(said.get("aliases") or ()), name]
    return found


def _volumes(names: Mapping[str, Any]) -> list[str]:
    return ["weft-control-plane", *(_volume(name) for name in sorted(names))]


def _volume(name: str) -> str:
    return f"weft-sidecar-{name}"


def _mapping(content: MutableMapping[str, Any], key: str) -> bool:
    """Make a mapping where none is; whether it was made."""
    made = content.get(key) is None
    if made:
        content[key] = {}
    return made


def _own(value: Any) -> Any:
    """A value that no anchor shares with another service."""
    if getattr(getattr(value, "anchor", None), "value", None) is None:
        return value
    return _plain(value)


def _plain(value: Any) -> Any:
    """Mappings and lists without what a YAML library knows of them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return copy.copy(value)
