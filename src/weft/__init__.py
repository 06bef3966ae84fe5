"""weft: a service mesh that pip installs; Istio's API, real Envoy sidecars, no Kubernetes needed."""
