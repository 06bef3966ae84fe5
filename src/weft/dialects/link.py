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
from weft.dialects.link_issuing import linked_issuing
from weft.dialects.link_parts import linked_parts
from weft.dialects.link_patches import linked_patches
from weft.dialects.link_plugins import linked_plugins
from weft.dialects.link_policies import linked_peer_policies, linked_policies
from weft.dialects.link_references import check_references
from weft.dialects.link_routes import linked_route_tables
from weft.dialects.link_services import linked_services
from weft.model.mesh import Mesh
from weft.model.settings import Settings


def link(fragments: tuple[Fragment, ...], settings: Settings, revision: int) -> Mesh:
    """The mesh that the fragments make together, with what is wrong in single ones and between them."""
    fragments = discovered(fragments, settings)
    linked = linked_services(service for fragment in fragments for service in fragment.services)
    policies = linked_policies(policy for fragment in fragments for policy in fragment.policies)
    namespaces = linked_namespaces(fragments)
    stored = {one.key: one for fragment in fragments for one in fragment.credentials}
    parts = linked_parts(fragments, linked.services, namespaces, stored, settings)
    written = (*(table for fragment in fragments for table in fragment.route_tables), *parts.tables)
    guarded = linked_guards(fragments, written, parts.gateways)
    gateways_written = (*(one for fragment in fragments for one in fragment.gateways), *parts.gateways)
    plugins = linked_plugins(fragments, guarded.tables, gateways_written)
    delegated = linked_delegates(plugins.tables)
    tables = linked_route_tables(delegated.tables, parts.services)
    peers = linked_peer_policies(policy for fragment in fragments for policy in fragment.peer_policies)
    gateways = linked_gateways(
        gateways_written,
        delegated.tables,
    )
    access = linked_access(
        (one for fragment in fragments for one in fragment.access_policies), peers.policies, settings
    )
    tokens = linked_tokens(one for fragment in fragments for one in fragment.token_policies)
    references = check_references(fragments, parts.services, policies.policies)
    credentials = linked_credentials(stored.values(), gateways.gateways, policies.policies, parts.credentials)
    issuing = linked_issuing(fragments)
    sidecars = (sidecar for fragment in fragments for sidecar in fragment.sidecars)
    workloads = (workload for fragment in fragments for workload in fragment.workloads)
    return Mesh(
        revision=revision,
        settings=settings,
        services=parts.services,
        others=linked.others,
        namespaces=namespaces,
        workloads=tuple(sorted(workloads, key=lambda workload: (workload.namespace, workload.name))),
        route_tables=tables.tables,
        policies=policies.policies,
        peer_policies=peers.policies,
        sidecars=tuple(sorted(sidecars, key=lambda sidecar: sidecar.origin.precedence)),
        gateways=gateways.gateways,
        plugins=plugins.plugins,
        proxy_settings=tuple(
            sorted(
                (one for fragment in fragments for one in fragment.proxy_settings),
                key=lambda one: one.origin.precedence,
            )
        ),
        access_policies=access.policies,
        token_policies=tokens.policies,
        patches=linked_patches((patch for fragment in fragments for patch in fragment.patches), settings),
        credentials=credentials.credentials,
        issuances=issuing.issuances,
        challenges=issuing.challenges,
        breakers=guarded.breakers,
        rate_limits=guarded.rate_limits,
        standings=(*parts.standings, *guarded.standings),
        findings=(
            *(finding for fragment in fragments for finding in fragment.findings),
            *linked.findings,
            *delegated.findings,
            *tables.findings,
            *policies.findings,
            *peers.findings,
            *gateways.findings,
            *credentials.findings,
            *issuing.findings,
            *guarded.findings,
            *parts.findings,
            *access.findings,
            *tokens.findings,
            *plugins.findings,
            *references,
        ),
    )
