"""What the host's rules turn to a sidecar: listeners that know where a connection was sent."""
