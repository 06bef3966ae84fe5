"""The guest beside each application: starts it and its Envoy, holds its key, registers it, and watches both.

It carries no grpc, no store and no cryptography library, so that it stays small: one runs for every workload.
"""
