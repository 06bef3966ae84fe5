"""Traces: spans of proxies and of applications, taken by OTLP, kept in a SQLite file of bounded size, and searched."""
