"""Limits that all proxies share: a server of Envoy's rate-limit service, and the places where it counts."""
