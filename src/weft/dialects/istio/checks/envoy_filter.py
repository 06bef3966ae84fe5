"""What Istio says of an EnvoyFilter, and what of it can have no effect.

Whether a value is the message that Envoy wants, the compiler says: it alone knows Envoy's messages.
"""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_port, check_selected
from weft.dialects.istio.checks.target_refs import check_target_refs
from weft.dialects.istio.types.envoy_filter import ConfigMatch, ConfigPatch, EnvoyFilter, ListenerMatch, Patch
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.regex import check_regex

_LISTENERS = ("LISTENER", "FILTER_CHAIN", "LISTENER_FILTER", "NETWORK_FILTER", "HTTP_FILTER")
_ROUTES = ("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE")
_FILTERS = ("LISTENER_FILTER", "NETWORK_FILTER", "HTTP_FILTER")
_MERGES = {"MERGE", "MERGE_AND_REPLACE_LIST"}
_INSERTS = {"INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"}
_WHOLE = _MERGES | {"ADD", "REMOVE"}
_OPERATIONS = {
    "LISTENER": _WHOLE,
    "FILTER_CHAIN": _WHOLE,
    "LISTENER_FILTER": _WHOLE | _INSERTS | {"REPLACE"},
    "NETWORK_FILTER": _WHOLE | _INSERTS | {"REPLACE"},
    "HTTP_FILTER": _WHOLE | _INSERTS | {"REPLACE"},
    "ROUTE_CONFIGURATION": _MERGES,
    "VIRTUAL_HOST": _WHOLE | {"REPLACE"},
    "HTTP_ROUTE": _WHOLE | _INSERTS,
    "CLUSTER": _WHOLE,
    "EXTENSION_CONFIG": {"ADD"},
    "BOOTSTRAP": _MERGES,
}
_WHOLE_PROXY = ("EXTENSION_CONFIG", "BOOTSTRAP")
_MANAGERS = ("envoy.filters.network.http_connection_manager", "envoy.http_connection_manager")
_OLD_API = re.compile(r"type\.googleapis\.com/envoy\.[a-z0-9_.]*\bv2(alpha[0-9]*)?\.")


def check_envoy_filter(spec: EnvoyFilter, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateEnvoyFilter``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield Here(path=("kind",)).warning(
        "W0160", "an EnvoyFilter changes what weft makes, which may be other with any version", _RARELY
    )
    selector = spec.workload_selector
    if selector is not None:
        yield from check_selected(here.at("workloadSelector", "labels"), selector.labels)
        if not selector.labels:
            yield here.at("workloadSelector").warning(
                "W0114", "the selector has no labels, so it selects all", _NO_LABELS
            )
    yield from check_target_refs(here.at("targetRefs"), spec.target_refs, selected=selector is not None)
    for index, one in enumerate(spec.config_patches):
        yield from _check_patch(here.at("configPatches", index), one)


_RARELY = "prefer other documents where they can say the same"
_NO_LABELS = "remove the selector if that is meant"


def _check_patch(here: Here, one: ConfigPatch) -> Findings:
    if one.apply_to in (None, "INVALID"):
        yield here.at("applyTo").error("W0105", "applyTo is required", "say what kind of thing is changed", at_key=True)
        return
    if one.match is not None and (one.match.context == "WAYPOINT" or one.match.waypoint is not None):
        yield from _check_waypoint(here.at("match"), one.match)
        return
    if one.match is not None:
        yield from _check_match(here.at("match"), one.match, str(one.apply_to))
    if one.patch is None:
        yield here.at("patch").error("W0105", "the patch is missing", "say what is done", at_key=True)
        return
    yield from _check_change(here.at("patch"), one.patch, one)


def _check_waypoint(here: Here, match: ConfigMatch) -> Findings:
    """The rules of Istio's schema; Istio looks no further, and there are no waypoints here."""
    if match.context != "WAYPOINT":
        message = "only a patch of waypoints can match one"
        yield here.at("waypoint").error("W0161", message, "set context: WAYPOINT", at_key=True)
        return
    for name, given in (("listener", match.listener), ("cluster", match.cluster)):
        if given is not None:
            yield here.at(name).error("W0161", f"a patch of waypoints cannot match a {name}", _BY_WAYPOINT, at_key=True)
    if match.route_configuration is not None:
        message = "a patch of waypoints cannot match a routeConfiguration"
        yield here.at("routeConfiguration").error("W0161", message, _BY_WAYPOINT, at_key=True)
    if match.waypoint is not None and match.waypoint.port_number is not None:
        yield from check_port(here.at("waypoint", "portNumber"), match.waypoint.port_number)
    yield here.at("context").warning("W0128", "there are no waypoints, so the patch holds for none", _OTHER_CONTEXT)


_BY_WAYPOINT = "use waypoint"
_OTHER_CONTEXT = "use another context, or remove the patch"


def _check_match(here: Here, match: ConfigMatch, target: str) -> Findings:
    given = {
        "listener": match.listener is not None,
        "routeConfiguration": match.route_configuration is not None,
        "cluster": match.cluster is not None,
    }
    wanted = "listener" if target in _LISTENERS else "routeConfiguration" if target in _ROUTES else "cluster"
    wanted = "" if target in _WHOLE_PROXY else wanted
    for name, is_given in given.items():
        if is_given and name != wanted:
            advice = f"use {wanted}" if wanted else "remove it"
            yield here.at(name).error("W0161", f"a patch of {target} cannot match a {name}", advice, at_key=True)
    if match.proxy is not None and match.proxy.proxy_version:
        yield from check_regex(here.at("proxy", "proxyVersion"), match.proxy.proxy_version)
    if match.listener is not None:
        yield from _check_listener(here.at("listener"), match.listener, target)


def _check_listener(here: Here, match: ListenerMatch, target: str) -> Findings:
    if match.port_name:
        yield here.at("portName").warning("W0128", "portName has no effect, as in Istio", "use portNumber", at_key=True)
    chosen = match.filter_chain.filter if match.filter_chain else None
    if chosen is None:
        return
    here = here.at("filterChain", "filter")
    if target in ("LISTENER", "FILTER_CHAIN"):
        yield here.warning("W0128", f"a patch of {target} does not look at filters", "remove it", at_key=True)
    if not chosen.name:
        yield here.error("W0105", "the filter has no name to match", "set its name", at_key=True)
    if chosen.sub_filter is None:
        return
    place = here.at("subFilter")
    if target != "HTTP_FILTER":
        yield place.error("W0161", "only a patch of HTTP_FILTER can match a subFilter", "remove it", at_key=True)
    if chosen.name not in _MANAGERS:
        yield place.error(
            "W0161", "a subFilter lies in a connection manager", f"set the filter's name to {_MANAGERS[0]}"
        )
    if not chosen.sub_filter.name:
        yield place.error("W0105", "the subFilter has no name to match", "set its name", at_key=True)


def _check_change(here: Here, patch: Patch, one: ConfigPatch) -> Findings:
    operation, target = patch.operation, str(one.apply_to)
    if patch.filter_class not in (None, "UNSPECIFIED") and (operation != "ADD" or target != "HTTP_FILTER"):
        said = f"filterClass has no effect on {operation} of a {target}"
        yield here.at("filterClass").warning("W0128", said, "use it with ADD of an HTTP_FILTER", at_key=True)
    if operation in (None, "INVALID"):
        yield here.at("operation").error("W0105", "the operation is required", "say what is done", at_key=True)
        return
    if operation not in _OPERATIONS[target]:
        possible = ", ".join(sorted(_OPERATIONS[target]))
        yield here.at("operation").warning("W0128", f"{operation} has no effect on a {target}", f"use {possible}")
    elif operation in ("REMOVE", "REPLACE") and target in _FILTERS and not _names_a_filter(one):
        yield here.at("operation").warning("W0128", f"{operation} needs the name of a filter", "name one in the match")
    if operation == "REMOVE":
        return
    if patch.value is None:
        yield here.at("value").error("W0105", f"{operation} needs a value", "add the value", at_key=True)
        return
    if target == "BOOTSTRAP":
        yield from _check_bootstrap(here.at("value"), patch.value)
    yield from _check_value(here.at("value"), patch.value, whole=operation not in _MERGES and target in _FILTERS)


def _names_a_filter(one: ConfigPatch) -> bool:
    listener = one.match.listener if one.match else None
    if listener is None:
        return False
    if one.apply_to == "LISTENER_FILTER":
        return bool(listener.listener_filter)
    chosen = listener.filter_chain.filter if listener.filter_chain else None
    if one.apply_to == "NETWORK_FILTER":
        return bool(chosen and chosen.name)
    return bool(chosen and chosen.sub_filter and chosen.sub_filter.name)


def _check_bootstrap(here: Here, value: dict[str, object]) -> Findings:
    """A proxy without these belongs to no mesh any more, so no document can take them from it."""
    for key in value:
        if key in _OWN:
            message = f"{key} of the bootstrap is weft's own, without it the proxy is lost"
            yield here.at(key).error("W0110", message, "remove it from the value", at_key=True)


_OWN = ("node", "admin", "dynamic_resources", "dynamicResources", "hds_config", "hdsConfig")


def _check_value(here: Here, value: dict[str, object], *, whole: bool) -> Findings:
    if "name" in value and not isinstance(value["name"], str):
        yield here.at("name").error("W0162", "the name must be a string")
    for key in ("typed_config", "typedConfig"):
        config = value.get(key)
        url = config.get("@type") if isinstance(config, dict) else None
        if isinstance(url, str) and _OLD_API.match(url):
            yield here.at(key, "@type").error("W0162", f"{url[:200]} is not of Envoy's API v3", "use the type of v3")
    given = {"typed_config", "typedConfig", "config_discovery", "configDiscovery"} & value.keys()
    if whole and not given:
        yield here.warning("W0163", "Envoy takes no filter without typed_config, so the patch is left out", _TYPED)


_TYPED = "add typed_config with its @type"
