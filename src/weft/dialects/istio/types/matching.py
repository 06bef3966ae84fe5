"""Messages that routes of every protocol share: text matches, destinations, percentages, selectors."""

from weft.dialects.wire import Double, Int32, Strings, UInt32, Wire, mapping, needed, unset


class StringMatch(Wire):
    """A condition on a text; with no field set, the text only has to be there."""

    exact: str | None = unset("The whole text.")
    prefix: str | None = unset("The beginning of the text.")
    regex: str | None = unset("An RE2 expression that matches the whole text.")


class PortSelector(Wire):
    """A port of a destination."""

    number: UInt32 | None = unset("Number of the port, 1 to 65535.")


class Destination(Wire):
    """Where requests or connections go."""

    host: str = needed("Service, by its full host name or, in the same namespace, by its short name.")
    subset: str | None = unset("Subset of the endpoints, defined by a DestinationRule.")
    port: PortSelector | None = unset("Port of the service; may be left out when the service has only one.")


class Percent(Wire):
    """A share."""

    value: Double | None = unset("Percent, 0 to 100; fractions are allowed.")


class RouteDestination(Wire):
    """A destination's share of connections."""

    destination: Destination = needed("Where the connections go.")
    weight: Int32 | None = unset("Share of the connections, relative to the sum of all weights.")


class PolicyWorkloadSelector(Wire):
    """Workloads that a policy is about."""

    match_labels: Strings = mapping("Labels that a workload must have, all of them.")
