"""Weft's own kinds: what neither Istio nor the Gateway API has a word for, attached as policies of the latter are."""
