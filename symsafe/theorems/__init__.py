"""Instances of the theorems: hypotheses checked exactly, conclusions certified."""
