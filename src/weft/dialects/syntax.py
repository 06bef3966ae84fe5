"""Small grammars: host names, labels, durations, addresses. Each answers whether a text is one, or takes it apart."""

import ipaddress
import re

_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_ANY_DNS_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"(?:\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)")
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
_MAX_DOMAIN = 255
_MAX_LABEL = 63


def is_dns_label(text: str) -> bool:
    """RFC 1123, lower case, as Kubernetes wants names of namespaces."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_istio_label(text: str) -> bool:
    """RFC 1123 in either case, as Istio wants names of ports, subsets and namespaces."""
    return len(text) <= _MAX_LABEL and _ANY_DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """Labels with dots between, at most 253 characters."""
    return len(text) <= 253 and all(_DNS_LABEL.fullmatch(label) for label in text.split("."))


def is_label_value(text: str) -> bool:
    """The value of a Kubernetes label."""
    return not text or _QUALIFIED.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """The key of a Kubernetes label: a name, perhaps after a DNS prefix and a slash."""
    prefix, slash, name = text.rpartition("/")
    return _QUALIFIED.fullmatch(name) is not None and (not slash or is_dns_subdomain(prefix))


def fault_in_domain(domain: str) -> str:
    """Why a text is no fully qualified domain name, "" if it is one (Istio: ``ValidateFQDN``)."""
    if not domain:
        return "a host name is required"
    if len(domain) > _MAX_DOMAIN:
        return f"a host name has at most {_MAX_DOMAIN} characters"
    return _fault_in_labels(domain, domain.removesuffix(".").split("."))


def _fault_in_labels(domain: str, labels: list[str]) -> str:
    for label in labels:
        if not is_istio_label(label):
            return f'"{domain[:120]}" is not a host name: "{label[:80]}" is no part of one'
    if labels[-1].isdigit():
        return f'"{domain[:120]}" is not a host name: its last part is a number'
    return ""


def fault_in_wildcard_domain(domain: str) -> str:
    """The same, where the first label may be or begin with ``*`` (Istio: ``ValidateWildcardDomain``)."""
    if not domain or len(domain) > _MAX_DOMAIN:
        return fault_in_domain(domain)
    first, _, rest = domain.removesuffix(".").partition(".")
    if len(first) > _MAX_LABEL or not _WILDCARD_LABEL.fullmatch(first):
        return f'"{domain[:120]}" is not a host name: "{first[:80]}" is no part of one'
    return _fault_in_labels(domain, rest.split(".")) if rest else ""


def is_ip(text: str) -> bool:
    """An IPv4 or IPv6 address."""
    if not text[:1].isdigit() and ":" not in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_subnet(text: str) -> bool:
    """An address or a CIDR; host bits may be set, as in Go's ``ParsePrefix``."""
    address, slash, bits = text.partition("/")
    if not slash:
        return is_ip(text)
    if not (is_ip(address) and bits.isascii() and bits.isdigit() and (bits == "0" or bits[0] != "0")):
        return False
    return int(bits) <= (128 if ":" in address else 32)


def nanoseconds(duration: str) -> int:
    """A duration in Go's notation as nanoseconds."""
    total = 0
    for number, unit in _PART.findall(duration):
        whole, _, fraction = number.partition(".")
        scale = _NANOSECONDS[unit]
        total += int(whole or 0) * scale
        if fraction:
            total += int(fraction) * scale // 10 ** len(fraction)
    return -total if duration.startswith("-") else total


def milliseconds(duration: str | None) -> int | None:
    """A checked duration as milliseconds; unset stays unset."""
    return None if duration is None else nanoseconds(duration) // 10**6


def qualify(host: str, namespace: str, suffix: str) -> str:
    """A short name made whole: ``reviews`` in ``shop`` is ``reviews.shop.svc.cluster.local``.

    A name with a dot, ``*`` or an address is whole already (Istio: ``ResolveShortnameToFQDN``). Case and a final dot
    do not matter to DNS, so they go.
    """
    host = host.lower().removesuffix(".")
    if host.startswith("*") or "." in host or is_ip(host) or not host:
        return host
    return f"{host}.{namespace}.svc.{suffix}" if suffix else f"{host}.{namespace}"
