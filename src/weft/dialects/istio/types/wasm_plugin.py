"""Istio's WasmPlugin and TrafficExtension."""

from typing import Any, Literal

from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.wire import Int32, Many, Wire, items, needed, unset


class EnvVar(Wire):
    """A variable of a module's environment."""

    name: str = needed("Name of the variable.", max_length=256)
    value: str | None = unset("Its value.", max_length=2048)
    value_from: Literal["INLINE", "HOST"] | None = unset("INLINE: the value; HOST: the proxy's own variable.")


class VmConfig(Wire):
    """The virtual machine of a module."""

    env: Many[EnvVar] = items("Its environment.", max_length=256)


class PortSelector(Wire):
    """A port."""

    number: int | None = unset("Number of the port.")


class TrafficSelector(Wire):
    """Some of a proxy's traffic."""

    mode: Literal["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"] | None = unset("The direction; both if unset.")
    ports: Many[PortSelector] = items("The destination's ports; all if left out.")


class Module(Wire):
    """A WebAssembly module."""

    url: str | None = unset("Where the module is: file:///path on the hosts of the proxies.")
    sha256: str | None = unset("Checksum of a module that is fetched.")
    image_pull_policy: Literal["UNSPECIFIED_POLICY", "IfNotPresent", "Always"] | None = unset("For images alone.")
    image_pull_secret: str | None = unset("For images alone.", max_length=253)
    verification_key: str | None = unset("Not used by Istio.")
    plugin_config: dict[str, Any] | None = unset("The plugin's configuration, which it gets as JSON.")
    plugin_name: str | None = unset("The root id of the plugin in its module.", max_length=256)
    fail_strategy: Literal["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"] | None = unset("What becomes of requests then.")
    vm_config: VmConfig | None = unset("The virtual machine.")
    type: Literal["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"] | None = unset("For requests, or for bytes.")


class _Placed(Wire):
    """Where a plugin stands."""

    selector: PolicyWorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    target_refs: Many[PolicyTargetReference] = items("Gateways that the plugin is for, instead.", max_length=16)
    priority: Int32 | None = unset("Larger ones come first within a phase.")
    match: Many[TrafficSelector] = items("The traffic that passes it; all if left out.")


class WasmPlugin(Module, _Placed):
    """A WebAssembly module in the chains of proxies."""

    target_ref: PolicyTargetReference | None = unset("One target; prefer targetRefs.")
    phase: Literal["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"] | None = unset("Before which of the mesh's filters.")


class Script(Wire):
    """A Lua script."""

    inline_code: str | None = unset("The script, with envoy_on_request and envoy_on_response.", max_length=65536)


class TrafficExtension(_Placed):
    """A module or a script in the chains of proxies."""

    phase: Literal["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"] | None = unset("Before which of the mesh's filters.")
    wasm: Module | None = unset("A WebAssembly module.")
    lua: Script | None = unset("A Lua script.")
