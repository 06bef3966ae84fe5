"""All analyses, one after the other."""

from collections.abc import Iterable, Mapping
from typing import Any

from weft.dialects.analysis import (
    annotations,
    conditions,
    destinations,
    envoy_filters,
    gateways,
    hosts,
    ports,
    selectors,
    service_entries,
    virtual_services,
)
from weft.dialects.analysis.world import World
from weft.model.document import Key
from weft.model.finding import Finding

_ANALYSES = (
    annotations.analyse,
    selectors.analyse,
    gateways.analyse,
    hosts.analyse,
    virtual_services.analyse,
    destinations.analyse,
    service_entries.analyse,
    ports.analyse,
    envoy_filters.analyse,
    conditions.analyse,
)


def analysed(documents: Iterable[tuple[Key, Mapping[str, Any]]], now: str = "") -> tuple[Finding, ...]:
    """What is wrong with documents together; each finding names its document. ``now`` as in ``World``."""
    world = World(documents, now)
    return tuple(finding for analyse in _ANALYSES for finding in analyse(world))
