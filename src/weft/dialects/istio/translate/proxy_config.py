"""A ProxyConfig in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.proxy_config import ProxyConfig
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.proxy import ProxySettings


def translate(spec: ProxyConfig, subject: Subject) -> Fragment:
    """What it says of proxies."""
    found = ProxySettings(
        origin=subject.origin,
        selector=labels_of(spec.selector.match_labels if spec.selector else {}),
        concurrency=spec.concurrency,
    )
    return Fragment(key=subject.key, proxy_settings=(found,))
