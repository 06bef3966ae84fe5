"""What Istio says of a ProxyConfig, and what of it weft's agents have no use for."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_policy_selector
from weft.dialects.istio.types.proxy_config import ProxyConfig
from weft.dialects.metadata import ObjectMeta, check_metadata

_MOST = 256


def check_proxy_config(spec: ProxyConfig, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateProxyConfig``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_policy_selector(here.at("selector"), spec.selector)
    yield from check_concurrency(here.at("concurrency"), spec.concurrency)
    if spec.environment_variables:
        advice = "set them where the agent is started"
        yield here.at("environmentVariables").unserved("an environment that documents set on hosts", advice)
    if spec.image is not None:
        yield here.at("image").unserved("an image", "there are no images; name an Envoy with --envoy-path")


def check_concurrency(here: Here, threads: int | None) -> Findings:
    """The number of a proxy's worker threads."""
    if threads is not None and not 0 <= threads <= _MOST:
        yield here.error("W0111", f"a proxy cannot have {threads} worker threads", f"use 0 to {_MOST}")
