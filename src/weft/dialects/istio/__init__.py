"""Istio's networking and security API."""
