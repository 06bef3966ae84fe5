"""Who answers for which service: workloads register, keep a lease, and become documents like any other."""
