"""The kinds of weft's own: one group, and attached to what they are about, as Gateway API policies are."""

from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.served import Served
from weft.dialects.weft.checks.circuit_breaker import check_circuit_breaker
from weft.dialects.weft.checks.rate_limit_policy import check_rate_limit_policy
from weft.dialects.weft.translate import circuit_breaker, rate_limit_policy
from weft.dialects.weft.types.circuit_breaker import CircuitBreaker
from weft.dialects.weft.types.rate_limit_policy import RateLimitPolicy

GROUP = "weft.dev"
VERSIONS = ("v1alpha1",)
CATEGORIES = ("weft", "weft-policy")

_TARGETS = Column(name="Targets", json_path=".spec.targetRefs[*].name", description="What it holds for.")
_ACCEPTED = Column(
    name="Told",
    json_path='.status.conditions[?(@.type=="Accepted")].message',
    description="What is wrong with it, if anything is.",
    priority=1,
)

CIRCUIT_BREAKER = Kind(
    group=GROUP,
    kind="CircuitBreaker",
    plural="circuitbreakers",
    singular="circuitbreaker",
    versions=VERSIONS,
    short_names=("cb",),
    categories=CATEGORIES,
    columns=(
        _TARGETS,
        Column(name="Force", json_path=".spec.force", description="What somebody decided instead of it."),
        AGE,
        _ACCEPTED,
    ),
)
RATE_LIMIT_POLICY = Kind(
    group=GROUP,
    kind="RateLimitPolicy",
    plural="ratelimitpolicies",
    singular="ratelimitpolicy",
    versions=VERSIONS,
    short_names=("rlp", "ratelimit", "ratelimits"),
    categories=CATEGORIES,
    columns=(
        _TARGETS,
        Column(name="Requests", json_path=".spec.limits[*].requests", description="Requests that pass."),
        Column(name="Per", json_path=".spec.limits[*].per", description="In which time."),
        Column(name="Scope", json_path=".spec.limits[*].scope", description="Who counts; Local if it is empty."),
        AGE,
        _ACCEPTED,
    ),
)

SERVED: tuple[Served, ...] = (
    Served(kind=CIRCUIT_BREAKER, spec=CircuitBreaker, check=check_circuit_breaker, translate=circuit_breaker.translate),
    Served(
        kind=RATE_LIMIT_POLICY,
        spec=RateLimitPolicy,
        check=check_rate_limit_policy,
        translate=rate_limit_policy.translate,
    ),
)
