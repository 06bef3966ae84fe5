"""The kinds of Kubernetes' core that weft serves."""

from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.kubernetes.check import check_namespace, check_service
from weft.dialects.kubernetes.service_type import NamespaceSpec, ServiceSpec
from weft.dialects.kubernetes.translate import translate, translate_namespace
from weft.dialects.served import Served

SERVICE = Kind(
    group="",
    kind="Service",
    plural="services",
    singular="service",
    versions=("v1",),
    short_names=("svc",),
    categories=("all",),
    columns=(
        Column(name="Type", json_path=".spec.type"),
        Column(name="Cluster-IP", json_path=".spec.clusterIP"),
        Column(name="Ports", json_path=".spec.ports[*].port"),
        AGE,
        Column(name="Selector", json_path=".spec.selector", priority=1),
    ),
)
NAMESPACE = Kind(
    group="",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    versions=("v1",),
    short_names=("ns",),
    namespaced=False,
    columns=(Column(name="Status", json_path=".status.phase"), AGE),
)

SERVED = (
    Served(kind=SERVICE, spec=ServiceSpec, check=check_service, translate=translate),
    Served(kind=NAMESPACE, spec=NamespaceSpec, check=check_namespace, translate=translate_namespace),
)
