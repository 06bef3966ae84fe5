"""What a filter is: a module with these names. ``chain.FILTERS`` gives their order."""

from enum import Enum
from typing import Protocol

from google.protobuf.message import Message

from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.view.view import Route


class Place(Enum):
    """Where a chain of filters stands."""

    INBOUND = "inbound"
    UPSTREAM_PORT = "upstream port"
    HTTP_PROXY = "http proxy"
    GATEWAY = "gateway"


class Filter(Protocol):
    """A filter: what goes into a listener's chain, and what a route says to it.

    A filter that few routes need stands in the chain disabled, and the routes that need it enable it: so a rule's
    change is a route's change and never a listener's (which would drain connections).
    """

    @property
    def NAME(self) -> str:  # noqa: N802
        """Envoy's name of the filter, by which routes speak to it."""
        ...

    def http_filter(self, place: Place) -> HttpFilter | None:
        """The filter as it stands in the chains of a place, if it does."""
        ...

    def on_route(self, route: Route) -> Message | None:
        """What a route says to the filter, if anything; saying something enables it."""
        ...
