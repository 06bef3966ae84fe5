"""Obtaining and renewing certificates from authorities that speak ACME (RFC 8555), as Secrets that gateways use."""
