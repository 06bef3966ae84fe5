"""What Istio says of a WasmPlugin and a TrafficExtension, and which modules weft's proxies can have."""

import re
from urllib.parse import urlsplit

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import MAX_PORT, check_policy_selector
from weft.dialects.istio.checks.target_refs import check_target_refs
from weft.dialects.istio.types.wasm_plugin import (
    Module,
    Script,
    TrafficExtension,
    TrafficSelector,
    VmConfig,
    WasmPlugin,
)
from weft.dialects.metadata import ObjectMeta, check_metadata

_SUM = re.compile(r"[a-f0-9]{64}")
_FILE = "put the module on the hosts of the proxies and write file:///path/to/it.wasm"


def check_wasm_plugin(spec: WasmPlugin, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateWasmPlugin``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    references = spec.target_refs or ((spec.target_ref,) if spec.target_ref else ())
    yield from _check_place(here, spec, named=bool(references))
    place = here.at("targetRefs") if spec.target_refs else here.at("targetRef")
    if spec.target_ref and spec.target_refs:
        yield here.at("targetRef").error("W0106", "only one of targetRef and targetRefs can be set", "remove it")
    yield from check_target_refs(place, references, selected=spec.selector is not None, listed=bool(spec.target_refs))
    yield from _check_module(here, spec)


def check_traffic_extension(spec: TrafficExtension, metadata: ObjectMeta) -> Findings:
    """The same for a TrafficExtension, which holds one of two things."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from _check_place(here, spec, named=bool(spec.target_refs))
    yield from check_target_refs(here.at("targetRefs"), spec.target_refs, selected=spec.selector is not None)
    if (spec.wasm is None) == (spec.lua is None):
        yield here.error("W0106", "one of wasm and lua must be set", "keep one of them", at_key=True)
    if spec.wasm is not None:
        yield from _check_module(here.at("wasm"), spec.wasm)
    if spec.lua is not None:
        yield from _check_script(here.at("lua"), spec.lua)


def _check_script(here: Here, script: Script) -> Findings:
    if not script.inline_code:
        yield here.at("inlineCode").error("W0105", "the script is empty", "write envoy_on_request", at_key=True)


def _check_place(here: Here, spec: WasmPlugin | TrafficExtension, *, named: bool) -> Findings:
    if not named:
        yield from check_policy_selector(here.at("selector"), spec.selector)
    for index, one in enumerate(spec.match):
        yield from _check_match(here.at("match", index), one)


def _check_match(here: Here, match: TrafficSelector) -> Findings:
    seen: set[int] = set()
    for index, port in enumerate(match.ports):
        place = here.at("ports", index, "number")
        number = port.number or 0
        if not 0 < number <= MAX_PORT:
            yield place.error("W0115", f"{number} is not a port", "use 1 to 65535", at_key=port.number is None)
        elif number in seen:
            yield place.error("W0117", f"port {number} is given twice", "remove one")
        seen.add(number)


def _check_module(here: Here, module: Module) -> Findings:
    yield from _check_url(here.at("url"), module.url or "")
    if module.sha256 is not None and not _SUM.fullmatch(module.sha256) and module.sha256:
        yield here.at("sha256").error(
            "W0102", "the checksum is not 64 lower-case hexadecimal digits", "write all of it"
        )
    for name in ("image_pull_policy", "image_pull_secret", "verification_key"):
        if getattr(module, name):
            key = {"image_pull_policy": "imagePullPolicy", "image_pull_secret": "imagePullSecret"}
            yield here.at(key.get(name, "verificationKey")).warning(
                "W0128", "only images are pulled, and there are none", "remove it", at_key=True
            )
    if module.vm_config is not None:
        yield from _check_machine(here.at("vmConfig"), module.vm_config)


def _check_url(here: Here, url: str) -> Findings:
    if not url:
        yield here.error("W0105", "the url of the module is missing", _FILE, at_key=True)
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        yield here.error("W0102", "this is not a url", _FILE)
        return
    scheme = parts.scheme if "://" in url else "oci"
    if url.startswith(("#", "%", "?")) or "\x00" in url:
        yield here.error("W0102", "this is not a url", _FILE)
    elif scheme == "oci":
        yield here.error("W0110", "a module in an image is not served: weft's agents pull no images", _FILE)
    elif scheme in ("http", "https"):
        message = (
            "a module that proxies fetch is not served: whoever may write documents could make them call any address"
        )
        yield here.error("W0110", message, _FILE)
    elif scheme != "file":
        yield here.error("W0102", f'"{scheme[:40]}" is not a scheme of modules', _FILE)
    elif parts.netloc or not parts.path.startswith("/") or parts.path.endswith("/") or parts.query or parts.fragment:
        yield here.error(
            "W0102", "a file is named by its whole path, with three slashes", "write file:///path/to/it.wasm"
        )


def _check_machine(here: Here, machine: VmConfig) -> Findings:
    seen: set[str] = set()
    for index, one in enumerate(machine.env):
        place = here.at("env", index)
        if not one.name:
            yield place.at("name").error("W0105", "the variable has no name", "write its name", at_key=True)
        elif one.name in seen:
            yield place.at("name").error("W0117", f"{one.name[:80]} is given twice", "remove one")
        seen.add(one.name)
        if one.value and one.value_from == "HOST":
            yield place.at("value").error(
                "W0106", "a variable of the host has no value here", "remove one", at_key=True
            )
