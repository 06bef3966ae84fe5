"""Instances come and go here: agents register workloads, hold leases and report health; each becomes a document."""
