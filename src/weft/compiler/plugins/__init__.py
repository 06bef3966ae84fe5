"""Plugins of documents in the chains of a proxy: one module for each kind of work.

A chain names a plugin, its configuration comes on its own (ECDS): so a change of it drains no connection, and one that
Envoy refuses (a file that is not there, a script that is none) costs the plugin and no listener.
"""
