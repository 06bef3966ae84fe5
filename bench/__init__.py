"""``make bench``: what weft costs, measured on whole processes; never part of the tests. See docs/benchmarks.md."""
