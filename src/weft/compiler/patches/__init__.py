"""Patches of users, made to finished resources, last of all.

The order within a listener, a route configuration and the clusters is that of istiod, and so are the merges. A patch
that cannot be made is left out and found; one patch never undoes another.
"""
