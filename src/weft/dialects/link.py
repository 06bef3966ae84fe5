"""All fragments become one mesh: precedence decides, equals are merged, references are looked up.

This is the only place that sees more than one document. Its rules are Istio's; the modules beside it hold one each.
"""

from weft.dialects.fragment import Fragment
from weft.dialects.link_access import linked_access, linked_tokens
from weft.dialects.link_credentials import linked_credentials
from weft.dialects.link_delegates import linked_delegates
from weft.dialects.link_discovery import discovered, linked_namespaces
from weft.dialects.link_gateways import linked_gateways
from weft.dialects.link_guards import linked_guards
from weft.dialects.link_health_checks import linked_checks
from weft.dialects.link_issuing import linked_issuing
from weft.dialects.link_objectives import linked_objectives
from weft.dialects.link_parts import linked_parts
from weft.dialects.link_patches import linked_patches
from weft.dialects.link_plugins import linked_plugins
from weft.dialects.link_policies import linked_peer_policies, linked_policies
from weft.dialects.link_references import check_references
from weft.dialects.link_route_spans import linked_route_spans
from weft.dialects.link_routes import linked_route_tables
from weft.dialects.link_said import said_by, tables_in, workloads_in
from weft.dialects.link_services import linked_services
from weft.dialects.link_telemetry import linked_telemetries
from weft.kit.runs import flat, ordered, runs_of
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.model.workload import Workload


def link(fragments: tuple[Fragment, ...], settings: Settings, revision: int) -> Mesh:
    """The mesh that the fragments make together, with what is wrong in single ones and between them."""
    runs = runs_of(discovered(fragments, settings))
    said = said_by(runs)
    linked = linked_services(said.services)
    policies = linked_policies(said.policies)
    namespaces = linked_namespaces(said.namespaces)
    stored = {one.key: one for one in said.credentials}
    parts = linked_parts(said.parts, linked.services, namespaces, stored, settings)
    checked = linked_checks(said, parts.services, linked.others)
    guarded = linked_guards(said, (*tables_in(runs), *parts.tables), parts.gateways)
    gateways_written = (*said.gateways, *parts.gateways)
    plugins = linked_plugins(said, guarded.tables, gateways_written)
    spans = linked_route_spans(said, plugins.tables, settings)
    delegated = linked_delegates(spans.tables)
    tables = linked_route_tables(delegated.tables, parts.services)
    peers = linked_peer_policies(said.peer_policies)
    gateways = linked_gateways(gateways_written, delegated.tables)
    access = linked_access(said.access_policies, peers.policies, settings)
    tokens = linked_tokens(said.token_policies)
    references = check_references(runs, parts.services, policies.policies)
    credentials = linked_credentials(stored.values(), gateways.gateways, policies.policies, parts.credentials)
    issuing = linked_issuing(said)
    objectives = linked_objectives(said.slo_parts)
    telemetries = linked_telemetries(said.telemetries, said.workloads, settings)
    return Mesh(
        revision=revision,
        settings=settings,
        services=checked.services,
        others=checked.others,
        namespaces=namespaces,
        workloads=ordered(workloads_in(runs), _place),
        route_tables=flat(tables.tables),
        policies=policies.policies,
        peer_policies=peers.policies,
        sidecars=tuple(sorted(said.sidecars, key=lambda sidecar: sidecar.origin.precedence)),
        gateways=gateways.gateways,
        plugins=plugins.plugins,
        telemetries=telemetries.policies,
        proxy_settings=tuple(sorted(said.proxy_settings, key=lambda one: one.origin.precedence)),
        access_policies=access.policies,
        token_policies=tokens.policies,
        patches=linked_patches(said.patches, settings),
        credentials=credentials.credentials,
        issuances=issuing.issuances,
        challenges=issuing.challenges,
        breakers=guarded.breakers,
        rate_limits=guarded.rate_limits,
        objectives=objectives.objectives,
        standings=(*parts.standings, *guarded.standings, *checked.standings),
        findings=(
            *said.findings,
            *linked.findings,
            *delegated.findings,
            *tables.findings,
            *policies.findings,
            *peers.findings,
            *gateways.findings,
            *credentials.findings,
            *issuing.findings,
            *guarded.findings,
            *checked.findings,
            *parts.findings,
            *access.findings,
            *tokens.findings,
            *plugins.findings,
            *objectives.findings,
            *telemetries.findings,
            *spans.findings,
            *references,
        ),
    )


def _place(workload: Workload) -> tuple[str, str]:
    return (workload.namespace, workload.name)
