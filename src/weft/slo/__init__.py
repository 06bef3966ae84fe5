"""Objectives watched: calls counted over windows, budgets, burn rates, and which alerts they give."""
