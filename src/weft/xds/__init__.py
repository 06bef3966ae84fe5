"""Envoy's discovery protocol: a state machine without I/O, what is known of every proxy, and the gRPC server."""
