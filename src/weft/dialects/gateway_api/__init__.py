"""Kubernetes' Gateway API: gateways, and the routes, grants and policies that attach to them or to services."""
