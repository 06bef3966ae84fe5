"""Istio's AuthorizationPolicy."""

from typing import Literal

from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.wire import Many, Wire, items, needed, unset

_OR = "one of these matches; * at an end stands for anything, * alone for anything that is there"


class Source(Wire):
    """A caller: all of the fields together."""

    principals: Many[str] = items(f"Identities from certificates, without spiffe://: {_OR}.")
    not_principals: Many[str] = items("Identities that it must not have.")
    request_principals: Many[str] = items(f"Identities from tokens, issuer/subject: {_OR}.")
    not_request_principals: Many[str] = items("Identities from tokens that it must not have.")
    namespaces: Many[str] = items(f"Namespaces from certificates: {_OR}.")
    not_namespaces: Many[str] = items("Namespaces that it must not be of.")
    service_accounts: Many[str] = items(
        "Service accounts, namespace/name or a name of the policy's namespace.", max_length=16
    )
    not_service_accounts: Many[str] = items("Service accounts that it must not have.", max_length=16)
    trust_domains: Many[str] = items(f"Trust domains from certificates: {_OR}.")
    not_trust_domains: Many[str] = items("Trust domains that it must not be of.")
    ip_blocks: Many[str] = items("Addresses and CIDRs of the connection's peer.")
    not_ip_blocks: Many[str] = items("Addresses and CIDRs that the connection's peer must not have.")
    remote_ip_blocks: Many[str] = items("Addresses and CIDRs of the client, by X-Forwarded-For or PROXY protocol.")
    not_remote_ip_blocks: Many[str] = items("Addresses and CIDRs that the client must not have.")


class From(Wire):
    """A caller."""

    source: Source | None = unset("The caller.")


class Operation(Wire):
    """What is asked for: all of the fields together."""

    hosts: Many[str] = items(f"Hosts, in any case: {_OR}.")
    not_hosts: Many[str] = items("Hosts that it must not be for.")
    ports: Many[str] = items("Ports of the workload.")
    not_ports: Many[str] = items("Ports that it must not come to.")
    methods: Many[str] = items(f"HTTP methods: {_OR}.")
    not_methods: Many[str] = items("HTTP methods that it must not have.")
    paths: Many[str] = items(f"Paths without the query: {_OR}; or templates with {{*}} and {{**}}.")
    not_paths: Many[str] = items("Paths that it must not have.")


class To(Wire):
    """What is asked for."""

    operation: Operation | None = unset("The operation.")


class When(Wire):
    """A condition on an attribute."""

    key: str = needed("The attribute, such as request.headers[x-token] or request.auth.claims[group].")
    values: Many[str] = items(f"Values of the attribute: {_OR}.")
    not_values: Many[str] = items("Values that it must not have.")


class Rule(Wire):
    """Callers, operations and conditions that a request must meet together; what is left out is any."""

    from_: Many[From] = items("Callers: one of them.", alias="from", max_length=512)
    to: Many[To] = items("Operations: one of them.")
    when: Many[When] = items("Conditions: all of them.")


class Provider(Wire):
    """Who decides instead."""

    name: str | None = unset("Name of an extension provider of the mesh's configuration.")


class AuthorizationPolicy(Wire):
    """Who may call what. Without rules an ALLOW policy matches nothing, so everything is denied."""

    selector: PolicyWorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    target_ref: PolicyTargetReference | None = unset("What the policy is attached to instead.")
    target_refs: Many[PolicyTargetReference] = items("What the policy is attached to instead.", max_length=16)
    rules: Many[Rule] = items("A request matches if one of them does.", max_length=512)
    action: Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"] | None = unset("What is done to requests; ALLOW if left out.")
    provider: Provider | None = unset("Who decides, for CUSTOM.")
