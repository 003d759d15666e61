"""Measures the same work again and again: tickets through web hooks into one sandbox, written to the other."""
