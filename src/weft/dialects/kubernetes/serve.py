"""The kinds of Kubernetes' core that weft serves."""

from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.kubernetes import cells
from weft.dialects.kubernetes.check import check_namespace, check_service
from weft.dialects.kubernetes.config_check import (
    check_change_of_config_map,
    check_change_of_secret,
    check_config_map,
    check_secret,
)
from weft.dialects.kubernetes.config_type import ConfigMapData, SecretData
from weft.dialects.kubernetes.credentials import stored_credential
from weft.dialects.kubernetes.defaults import complete_secret, complete_service, keep_service, receive_secret
from weft.dialects.kubernetes.quota import ResourceQuotaSpec, check_quota
from weft.dialects.kubernetes.rbac_serve import SERVED as RBAC
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
    chosen_by=("spec.clusterIP", "spec.type"),
    categories=("all",),
    columns=(
        Column(name="Type", json_path=".spec.type"),
        Column(name="Cluster-IP", json_path=".spec.clusterIP", cell=cells.cluster_ip),
        Column(name="External-IP", json_path=".spec.externalIPs", cell=cells.external_ip),
        Column(name="Port(s)", json_path=".spec.ports", cell=cells.ports),
        AGE,
        Column(name="Selector", json_path=".spec.selector", priority=1, cell=cells.selector),
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

CONFIG_MAP = Kind(
    group="",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    versions=("v1",),
    short_names=("cm",),
    columns=(Column(name="Data", json_path="", type="integer", counted=("data", "binaryData")), AGE),
    flat=True,
)
SECRET = Kind(
    group="",
    kind="Secret",
    plural="secrets",
    singular="secret",
    versions=("v1",),
    chosen_by=("type",),
    columns=(
        Column(name="Type", json_path=".type"),
        Column(name="Data", json_path="", type="integer", counted=("data",)),
        AGE,
    ),
    flat=True,
)

RESOURCE_QUOTA = Kind(
    group="",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    versions=("v1",),
    short_names=("quota",),
    columns=(
        Column(name="Request", json_path=".status", cell=cells.amounts),
        Column(name="Limit", json_path=".status", cell=cells.limits),
        AGE,
    ),
)

SERVED = (
    Served(
        kind=SERVICE,
        spec=ServiceSpec,
        check=check_service,
        translate=translate,
        completed=complete_service,
        kept=keep_service,
    ),
    Served(kind=NAMESPACE, spec=NamespaceSpec, check=check_namespace, translate=translate_namespace),
    Served(
        kind=CONFIG_MAP,
        spec=ConfigMapData,
        check=check_config_map,
        translate=None,
        facts=stored_credential,
        check_change=check_change_of_config_map,
    ),
    Served(
        kind=SECRET,
        spec=SecretData,
        check=check_secret,
        translate=None,
        facts=stored_credential,
        received=receive_secret,
        completed=complete_secret,
        check_change=check_change_of_secret,
    ),
    Served(kind=RESOURCE_QUOTA, spec=ResourceQuotaSpec, check=check_quota, translate=None),
    *RBAC,
)
