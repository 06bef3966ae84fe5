"""The load balancer of a DestinationRule."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.wire import Double, Duration, Many, UInt32, UInt64, Wire, items, mapping, needed, unset


class CookieAttribute(Wire):
    """A further attribute of a cookie."""

    name: str | None = unset("Name of the attribute.")
    value: str | None = unset("Value of the attribute.")


class HttpCookie(Wire):
    """A cookie whose value is hashed; it is made when the caller has none."""

    name: str = needed("What the cookie is called.")
    path: str | None = unset("Path of the cookie.")
    ttl: str | None = unset("Life of the cookie; 0s for the session.")
    attributes: Many[CookieAttribute] = items("Further attributes of the cookie.")


class RingHash(Wire):
    """Endpoints on a ring."""

    minimum_ring_size: UInt64 | None = unset("Least number of entries of the ring, 1024 if unset.")


class Maglev(Wire):
    """Endpoints in a table, as in the Maglev paper."""

    table_size: UInt64 | None = unset("Size of the table, 65537 if unset; must be prime.")


class ConsistentHash(Wire):
    """The same key always goes to the same endpoint, as long as endpoints do not change much."""

    http_header_name: str | None = unset("Hash the value of a header.")
    http_cookie: HttpCookie | None = unset("Hash a cookie.")
    use_source_ip: bool | None = unset("Hash the caller's address.")
    http_query_parameter_name: str | None = unset("Hash a parameter of the query.")
    ring_hash: RingHash | None = unset("Use a ring, the default.")
    maglev: Maglev | None = unset("Use a Maglev table.")
    minimum_ring_size: UInt64 | None = unset("Deprecated: use ringHash.")


class Distribute(Wire):
    """Where callers of one locality go."""

    from_: str | None = unset("Locality of the callers, region/zone/subzone.", alias="from")
    to: dict[str, UInt32] = mapping("Share in percent for each locality of endpoints.")


class Failover(Wire):
    """Where calls go when a region is down."""

    from_: str | None = unset("Region that is down.", alias="from")
    to: str | None = unset("Region that takes over.")


class LocalityLoadBalancer(Wire):
    """Preference for endpoints that are near."""

    distribute: Many[Distribute] = items("Shares of localities.")
    failover: Many[Failover] = items("Regions that take over for regions.")
    failover_priority: Many[str] = items("Labels that make endpoints near, the most important first.")
    enabled: bool | None = unset("Whether this is used; replaces the setting of the mesh.")


class ZoneAwareLoadBalancer(Wire):
    """Preference for endpoints in the same zone, as far as these can carry the load."""

    enabled: bool | None = unset("Whether this is used.")
    failover: Many[Failover] = items("Regions that take over for regions.")
    failover_priority: Many[str] = items("Labels that make endpoints near, the most important first.")
    min_cluster_size: UInt64 | None = unset("Least number of endpoints for which zones are looked at.", ge=1)


class Warmup(Wire):
    """New endpoints get their share step by step."""

    duration: Duration = needed("How long it takes until they have all of it.")
    minimum_percent: Annotated[Double, Field(ge=0, le=100)] | None = unset("What they begin with, 10 if unset.")
    aggression: Annotated[Double, Field(ge=0)] | None = unset("How fast it grows; 1, if unset, is linear.")


class LoadBalancer(Wire):
    """How an endpoint is chosen."""

    simple: Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"] | None = (
        unset("An algorithm without a key, LEAST_REQUEST if unset.")
    )
    consistent_hash: ConsistentHash | None = unset("An algorithm with a key.")
    locality_lb_setting: LocalityLoadBalancer | None = unset("Preference for endpoints that are near.")
    zone_aware_lb_setting: ZoneAwareLoadBalancer | None = unset("Preference for endpoints in the same zone.")
    warmup_duration_secs: Duration | None = unset("Deprecated: use warmup.")
    warmup: Warmup | None = unset("New endpoints get their share step by step.")
