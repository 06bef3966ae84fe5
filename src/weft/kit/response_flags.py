"""Envoy's response flags in words: what access logs, metrics and spans say in two letters of what went wrong.

Imported by whoever shows a call. The flags are those of ``CORE_RESPONSE_FLAGS`` in Envoy's stream info.
"""

FLAGS: dict[str, str] = {
    "DC": "the caller closed the connection",
    "DF": "the upstream's name could not be resolved",
    "DI": "delayed by an injected fault",
    "DO": "dropped to shed the upstream's load",
    "DPE": "the caller broke the protocol",
    "DR": "the caller reset the request",
    "DT": "the call took longer than it may",
    "FI": "aborted by an injected fault",
    "IH": "a header for the proxy has a value that it refuses",
    "LH": "this proxy's health check failed",
    "LR": "the proxy reset the request",
    "NC": "the upstream cluster does not exist",
    "NFCF": "the configuration of a filter had not arrived",
    "NR": "no route matched",
    "OM": "the proxy is overloaded",
    "RFCF": "answered from a cache",
    "RL": "refused by a rate limit",
    "RLSE": "the rate limit service could not be asked",
    "SI": "nothing was sent for too long",
    "UAEX": "refused by an authorization service or the check of a token",
    "UC": "the upstream closed the connection",
    "UDO": "all of the upstream's calls are dropped",
    "UF": "no connection to the upstream could be made",
    "UH": "no healthy upstream",
    "UMSDR": "the call to the upstream took longer than it may",
    "UO": "the upstream has too many calls or connections open",
    "UPE": "the upstream broke the protocol",
    "UR": "the upstream reset the request",
    "URX": "tried as often as allowed",
    "UT": "the upstream did not answer in time",
}
"""By the letters of ``%RESPONSE_FLAGS%``."""


def words_of(flag: str) -> str:
    """What a flag says, as in ``UH``: "no healthy upstream"; several, separated by commas, are told together.

    No flag (``-`` or nothing) has no words; one that is not known stands for itself.
    """
    flags = [one for one in flag.replace(" ", "").split(",") if one and one != "-"]
    return "; ".join(FLAGS.get(one, one) for one in flags)
