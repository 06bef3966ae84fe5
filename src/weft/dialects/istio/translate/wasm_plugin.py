"""WasmPlugin and TrafficExtension in the model's words."""

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import msgspec

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.istio.types.wasm_plugin import Module, TrafficExtension, TrafficSelector, WasmPlugin
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.plugin import Failure, Lua, Phase, Plugin, Traffic, Wasm, Work

_FAILURES = {"FAIL_OPEN": Failure.OPEN, "FAIL_RELOAD": Failure.RELOAD}
_PHASES = {"AUTHN": Phase.AUTHN, "AUTHZ": Phase.AUTHZ, "STATS": Phase.STATS}


def translate(spec: WasmPlugin, subject: Subject) -> Fragment:
    """A module."""
    references = spec.target_refs or ((spec.target_ref,) if spec.target_ref else ())
    return _fragment(spec, references, _wasm(spec), subject)


def translate_extension(spec: TrafficExtension, subject: Subject) -> Fragment:
    """A module or a script."""
    work: Work = _wasm(spec.wasm) if spec.wasm else Lua(source=(spec.lua.inline_code or "") if spec.lua else "")
    return _fragment(spec, spec.target_refs, work, subject)


def _fragment(
    spec: WasmPlugin | TrafficExtension, references: Sequence[PolicyTargetReference], work: Work, subject: Subject
) -> Fragment:
    selector = spec.selector
    plugin = Plugin(
        name=f"{subject.key.kind.lower()}|{subject.namespace}|{subject.key.name}",
        origin=subject.origin,
        works=(work,),
        phase=_PHASES.get(spec.phase or "", Phase.LAST),
        priority=spec.priority or 0,
        selector=labels_of(selector.match_labels if selector else {}),
        gateways=tuple(one.name for one in references if one.kind == "Gateway") if references else None,
        traffic=tuple(_traffic(one) for one in spec.match),
    )
    return Fragment(key=subject.key, plugins=(plugin,))


def _traffic(match: TrafficSelector) -> Traffic:
    ports = tuple(port.number or 0 for port in match.ports)
    return Traffic(
        client=match.mode != "SERVER", server=match.mode != "CLIENT", gateway=match.mode != "SERVER", ports=ports
    )


def _wasm(module: Module) -> Wasm:
    environment = module.vm_config.env if module.vm_config else ()
    config = module.plugin_config
    return Wasm(
        path=unquote(urlsplit(module.url or "").path),
        root=module.plugin_name or "",
        configuration="" if config is None else msgspec.json.encode(config, order="sorted").decode(),
        environment=labels_of({one.name: one.value or "" for one in environment if one.value_from != "HOST"}),
        host_environment=tuple(one.name for one in environment if one.value_from == "HOST"),
        failure=_FAILURES.get(module.fail_strategy or "", Failure.CLOSE),
        network=module.type == "NETWORK",
    )
