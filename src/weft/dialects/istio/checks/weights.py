"""Shares of destinations."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.http_route import HttpRouteDestination
from weft.dialects.istio.types.matching import RouteDestination

_USUAL_SUM = 100


def check_weights(here: Here, shares: Sequence[HttpRouteDestination | RouteDestination]) -> Findings:
    """Istio's ``validateWeights``: none negative, not all 0. A sum other than 100 is served, and told."""
    weights = [share.weight or 0 for share in shares]
    for index, weight in enumerate(weights):
        if weight < 0:
            yield here.at(index, "weight").error("W0104", f"the weight {weight} is negative")
    if len(weights) < 2 or min(weights) < 0:
        return
    total = sum(weights)
    if total == 0:
        yield here.error("W0104", "no destination of the route has a weight", "give each its share", at_key=True)
    elif total != _USUAL_SUM:
        listed = ", ".join(str(weight) for weight in weights[:10])
        advice = f"the shares are {listed}, relative to {total}; make them add up to 100 to say percent"
        place = here.at(len(weights) - 1, "weight") if shares[-1].weight is not None else here
        yield place.warning("W0103", f"weights of a route add up to {total}, not 100", advice)
