"""Ways for a workload to prove itself besides join tokens: Kubernetes, JWTs of an issuer, and being a local process."""
