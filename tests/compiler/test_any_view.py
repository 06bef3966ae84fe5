"""What holds for every view."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from tests.compiler.bootstrap import check_with_envoy, clusters, endpoints, listeners, route_configurations
from tests.compiler.views import views
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft.compiler.resources import resources_of

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@settings(deadline=None, suppress_health_check=_QUIET)
@given(views())
def test_names_are_unique_sorted_and_bytes_repeat(view):
    resources = resources_of(view)
    names = [(one.type_url, one.name) for one in resources.resources]
    assert names == sorted(set(names))
    assert resources_of.__wrapped__(view) == resources


@settings(deadline=None, suppress_health_check=_QUIET)
@given(views())
def test_nothing_is_named_that_is_not_sent(view):
    resources = resources_of(view)
    found = {name for name, cluster in clusters(resources).items() if cluster.type == Cluster.EDS}
    assert found == set(endpoints(resources))
    for name, listener in listeners(resources).items():
        assert listener.filter_chains, name


@settings(deadline=None, suppress_health_check=_QUIET)
@given(views())
def test_no_domain_stands_twice_in_a_route_configuration(view):
    for routes in route_configurations(resources_of(view)).values():
        domains = [domain.lower() for host in routes.virtual_hosts for domain in host.domains]
        assert len(domains) == len(set(domains))
        assert "*" in domains


@pytest.mark.live
@settings(max_examples=15, deadline=None, suppress_health_check=_QUIET)
@given(views())
def test_envoy_accepts_it(view):
    with TemporaryDirectory() as directory:
        check_with_envoy(resources_of(view), Path(directory))
