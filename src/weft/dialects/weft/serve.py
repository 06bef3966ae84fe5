"""The kinds of weft's own: one group, and attached to what they are about, as Gateway API policies are."""

from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.served import Served
from weft.dialects.weft.checks.circuit_breaker import check_circuit_breaker
from weft.dialects.weft.checks.health_check import check_health_check
from weft.dialects.weft.checks.rate_limit_policy import check_rate_limit_policy
from weft.dialects.weft.checks.stores import check_compression, check_response_cache
from weft.dialects.weft.checks.transformation import check_transformation
from weft.dialects.weft.translate import circuit_breaker, health_check, rate_limit_policy
from weft.dialects.weft.translate.plugins import translate_cache, translate_compression, translate_transformation
from weft.dialects.weft.types.circuit_breaker import CircuitBreaker
from weft.dialects.weft.types.compression import Compression
from weft.dialects.weft.types.health_check import HealthCheck
from weft.dialects.weft.types.rate_limit_policy import RateLimitPolicy
from weft.dialects.weft.types.response_cache import ResponseCache
from weft.dialects.weft.types.transformation import Transformation

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
HEALTH_CHECK = Kind(
    group=GROUP,
    kind="HealthCheck",
    plural="healthchecks",
    singular="healthcheck",
    versions=VERSIONS,
    short_names=("hc",),
    categories=CATEGORIES,
    columns=(
        _TARGETS,
        Column(name="Interval", json_path=".spec.interval", description="The time between two checks; 10s if empty."),
        Column(name="Path", json_path=".spec.http.path", description="What is asked for, by HTTP."),
        AGE,
        _ACCEPTED,
    ),
)
TRANSFORMATION = Kind(
    group=GROUP,
    kind="Transformation",
    plural="transformations",
    singular="transformation",
    versions=VERSIONS,
    categories=CATEGORIES,
    columns=(_TARGETS, AGE, _ACCEPTED),
)
COMPRESSION = Kind(
    group=GROUP,
    kind="Compression",
    plural="compressions",
    singular="compression",
    versions=VERSIONS,
    categories=CATEGORIES,
    columns=(_TARGETS, Column(name="Algorithms", json_path=".spec.algorithms", description="How."), AGE, _ACCEPTED),
)
RESPONSE_CACHE = Kind(
    group=GROUP,
    kind="ResponseCache",
    plural="responsecaches",
    singular="responsecache",
    versions=VERSIONS,
    categories=CATEGORIES,
    columns=(_TARGETS, Column(name="Directory", json_path=".spec.directory", description="Where."), AGE, _ACCEPTED),
)

SERVED: tuple[Served, ...] = (
    Served(kind=CIRCUIT_BREAKER, spec=CircuitBreaker, check=check_circuit_breaker, translate=circuit_breaker.translate),
    Served(
        kind=RATE_LIMIT_POLICY,
        spec=RateLimitPolicy,
        check=check_rate_limit_policy,
        translate=rate_limit_policy.translate,
    ),
    Served(kind=HEALTH_CHECK, spec=HealthCheck, check=check_health_check, translate=health_check.translate),
    Served(kind=TRANSFORMATION, spec=Transformation, check=check_transformation, translate=translate_transformation),
    Served(kind=COMPRESSION, spec=Compression, check=check_compression, translate=translate_compression),
    Served(kind=RESPONSE_CACHE, spec=ResponseCache, check=check_response_cache, translate=translate_cache),
)
