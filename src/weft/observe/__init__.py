"""Reads what happened: counters of proxies and of the control plane itself."""
