"""Transparent capture: the host's rules that turn one workload's connections to its sidecar, and their end.

``rules`` is what is wanted, ``nft`` and ``iptables`` say it in the kernel's words, ``cgroup`` and ``scope`` limit it to
the workload, ``ledger`` remembers it, ``guardian`` undoes it whatever happens to the agent.
"""
