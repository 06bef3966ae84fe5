"""Queries, evaluated in a process beside the control plane: neither its event loop nor its memory knows of them.

A process is started when somebody asks, looks into the windows' file by itself, asks back for what is in memory alone,
and is ended when nobody asked for a while. It keeps nothing from one question to the next.
"""
