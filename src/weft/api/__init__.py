"""The REST API: the Kubernetes resource protocol over weft's documents, and weft's own questions beside it."""
