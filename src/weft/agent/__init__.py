"""The guest on a workload's host: supervises the application and its Envoy, keeps its identity, reports its health."""
