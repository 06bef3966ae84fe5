"""Istio's documents in the model's words."""
