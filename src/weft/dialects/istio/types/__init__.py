"""Istio's documents as pydantic models: every field of the pinned API, in Istio's JSON names."""
