"""Answers PromQL over series that somebody else keeps: no store, no clock, no HTTP in here.

Parsing is a library's; the evaluation works on columns, one value for each step, so that labels are looked at once for
a query and not once for each step. Semantics are those of Prometheus 3 (range selectors are open at their older end).
"""
