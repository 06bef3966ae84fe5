"""The Kubernetes kinds that describe services."""
