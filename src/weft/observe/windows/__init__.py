"""What the mesh did over time: counters and latencies in steps of 5 s for an hour, 1 min for a day, 15 min for 30 days.

Amounts are added as they come; what is older than a minute is in a SQLite file of its own, packed. No gRPC, no HTTP and
no clock in here: moments are handed in.
"""
