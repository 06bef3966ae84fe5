"""``make bench``: what weft costs, measured on whole processes. Never part of the test suite; see docs/benchmarks.md."""
