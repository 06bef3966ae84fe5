"""Weft's RateLimitPolicy."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.weft.types.answers import Answer
from weft.dialects.weft.types.targets import Selecting
from weft.dialects.wire import Duration, Many, Wire, items, needed, unset

Amount = Annotated[int, Field(ge=1, le=1_000_000_000)]
Unit = Literal["Second", "Minute", "Hour", "Day"]


class Nothing(Wire):
    """No fields."""


class NamedValue(Wire):
    """Something by its name."""

    name: str = needed("Its name.", min_length=1, max_length=256)


class ClientAddress(Wire):
    """The caller's address, or the network that it is in."""

    ipv4_prefix_length: Annotated[int, Field(ge=0, le=32)] | None = unset("Bits of IPv4 addresses that count; all.")
    ipv6_prefix_length: Annotated[int, Field(ge=0, le=128)] | None = unset("Bits of IPv6 addresses that count; all.")


class Claim(Wire):
    """A claim of a verified token."""

    path: Many[str] = items("The name of the claim, and of what is within it.", min_length=1, max_length=8)


class Dimension(Wire):
    """What is counted apart for each of its values; one of the fields."""

    client_identity: Nothing | None = unset("The SPIFFE ID that the caller's certificate proves.")
    client_address: ClientAddress | None = unset("The caller's address.")
    header: NamedValue | None = unset("A header; requests without it are not counted.")
    query_parameter: NamedValue | None = unset("A query parameter; requests without it are not counted.")
    path: Nothing | None = unset("The path, without the query.")
    method: Nothing | None = unset("The method.")
    claim: Claim | None = unset("A claim of the caller's verified token; requests without it are not counted.")


class TextCondition(Wire):
    """What a text must be; one of the fields, or none: it has to be there."""

    exact: str | None = unset("All of it.", max_length=1024)
    prefix: str | None = unset("Its beginning.", max_length=1024)


class NamedCondition(TextCondition):
    """What a named text must be."""

    name: str = needed("Its name.", min_length=1, max_length=256)


class Condition(Wire):
    """The requests that count: all that is said must hold."""

    path: TextCondition | None = unset("The path, without the query.")
    methods: Many[str] = items("One of these methods.", max_length=16)
    headers: Many[NamedCondition] = items("Headers, all of them.", max_length=16)
    query_parameters: Many[NamedCondition] = items("Query parameters, all of them.", max_length=16)
    client_identities: Many[str] = items("One of these SPIFFE IDs proves the caller.", max_length=64)


class Limit(Wire):
    """So many requests in a time."""

    name: str | None = unset("What it is called in lists; its number if left out.", max_length=63)
    requests: Amount = needed("Requests that pass in each unit of time.")
    per: Unit = needed("The unit of time.")
    burst: Amount | None = unset("Requests that may come at once; as many as requests. Of Local limits alone.")
    scope: Literal["Local", "Global"] | None = unset(
        "Local: each proxy counts alone. Global: the control plane counts for all of them. Local."
    )
    window: Literal["Fixed", "Sliding"] | None = unset("How a Global limit counts; Fixed starts anew with each unit.")
    by: Many[Dimension] = items("What is counted apart; without it, all requests together.", max_length=4)
    when: Condition | None = unset("The requests that count; all.")
    mode: Literal["Enforce", "Shadow"] | None = unset("Shadow counts and refuses nothing; Enforce.")
    cost: Annotated[int, Field(ge=1, le=1_000_000)] | None = unset("What a request takes of the limit; 1.")


class Connections(Wire):
    """New connections to the ports that the policy holds for, whatever they speak."""

    connections: Amount = needed("Connections that may begin in each unit of time.")
    per: Unit = needed("The unit of time.")
    burst: Amount | None = unset("Connections that may begin at once; as many as connections.")


class RateLimitPolicy(Selecting):
    """How many requests pass: to the workloads of a service, through a gateway, along a route."""

    limits: Many[Limit] = items("All of them must let a request pass.", max_length=32)
    connections: Connections | None = unset("A limit of new connections.")
    response: Answer | None = unset("What a request that is too much gets; 429.")
    headers: Literal["Draft03", "Off"] | None = unset("x-ratelimit-* and retry-after in answers; Draft03.")
    on_failure: Literal["Allow", "Deny"] | None = unset(
        "What becomes of a request when the control plane cannot be asked for a Global limit; Allow."
    )
    timeout: Duration | None = unset("How long the control plane is waited for; 100ms.")
    max_keys: Annotated[int, Field(ge=1, le=1_000_000)] | None = unset(
        "Values of by that each proxy remembers for a Local limit; the longest unused is forgotten. 10000."
    )
