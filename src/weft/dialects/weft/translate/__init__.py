"""Weft's own documents in the model's words."""
