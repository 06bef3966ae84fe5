"""The table of fields in docs/compatibility.md, made from the wire types, the checks and notes on each kind."""
