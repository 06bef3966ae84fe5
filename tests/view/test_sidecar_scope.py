"""What Istio's own cases of ``SidecarScope`` see, compared with what weft's scopes see."""

import json
from pathlib import Path
from typing import Any

import pytest

from weft.dialects.istio.translate import sidecar, virtual_service
from weft.dialects.istio.types.sidecar import Sidecar as WireSidecar
from weft.dialects.istio.types.virtual_service import VirtualService
from weft.dialects.link_services import linked_services
from weft.dialects.metadata import ObjectMeta
from weft.dialects.protocols import protocol_of
from weft.dialects.served import Subject
from weft.kit.runs import runs_of
from weft.model.document import Key, Origin
from weft.model.mesh import Mesh
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.settings import Settings
from weft.view.imports import Scope, seen_by

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "istio" / "sidecar" / "scope_cases.jsonl"
CASES = [json.loads(line) for line in DATA.read_text().splitlines()] if DATA.is_file() else []
SETTINGS = Settings(domain_suffix="")
RESOLUTIONS = {0: Resolution.STATIC, 1: Resolution.DNS, 2: Resolution.NONE}


@pytest.mark.skipif(not CASES, reason="there is no ../shared/data/istio beside the checkout")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["test"].partition("/")[2])
def test_a_proxy_sees_the_services_that_it_sees_in_istio(case: dict[str, Any]):
    services = linked_services(_service(one) for one in case["services"] or ())
    tables = [table for one in case["virtual_services"] or () for table in _fragment(one).route_tables]
    mesh = Mesh(services=services.services, others=services.others, route_tables=tuple(tables), settings=SETTINGS)
    seen = seen_by(mesh, _scope(case), runs_of(mesh.route_tables)).services
    assert {_key(one) for one in seen.values()} == {_key(_service(one)) for one in case["visible_services"] or ()}


def _key(service: Service) -> tuple[Any, ...]:
    return (service.host, service.namespace, frozenset(port.number for port in service.ports))


def _scope(case: dict[str, Any]) -> Scope:
    found = case["sidecar"]
    spec = WireSidecar.model_validate(found["spec"])
    (made,) = sidecar.translate(spec, _subject("Sidecar", found["name"], found["namespace"])).sidecars
    return Scope(namespace=case["config_namespace"], egress=made.egress)


def _fragment(found: dict[str, Any]) -> Any:
    subject = _subject("VirtualService", found["name"], found["namespace"])
    return virtual_service.translate(VirtualService.model_validate(found["spec"]), subject)


def _subject(kind: str, name: str, namespace: str) -> Subject:
    key = Key(group="networking.istio.io", kind=kind, name=name, namespace=namespace)
    return Subject(key=key, origin=Origin(key=key), metadata=ObjectMeta(), status={}, settings=SETTINGS)


def _service(found: dict[str, Any]) -> Service:
    said = found["Attributes"]
    kind = "Service" if said["ServiceRegistry"] == "Kubernetes" else "ServiceEntry"
    created = "" if found["creationTime"].startswith("0001") else found["creationTime"]
    return Service(
        host=found["hostname"],
        name=said["Name"],
        namespace=said["Namespace"],
        origin=Origin(key=Key(kind=kind, name=said["Name"], namespace=said["Namespace"]), created=created),
        ports=tuple(_port(port) for port in found.get("ports") or ()),
        selector=tuple(sorted((said["LabelSelectors"] or {}).items())) or None,
        resolution=RESOLUTIONS[found["Resolution"]],
        export_to=tuple(said["ExportTo"] or ("*",)),
    )


def _port(found: dict[str, Any]) -> Port:
    return Port(
        number=found["port"], name=found["name"], protocol=protocol_of(found.get("protocol", "")) or Protocol.TCP
    )
