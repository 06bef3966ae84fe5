"""Which Istio weft's documents are those of, for documents that ask."""

ISTIO_VERSION = "1.31.0"
"""The release whose API weft follows; what its proxies tell as ``ISTIO_VERSION``."""

GATEWAY_NAME_LABEL = "gateway.networking.k8s.io/gateway-name"
"""The label by which the proxies of a Kubernetes ``Gateway`` are known."""
