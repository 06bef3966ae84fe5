"""Alerts: which are on, and telling of each whoever should know, once, also after a restart."""
