"""Instances of the theorems: hypotheses checked exactly, conclusions certified."""

from symsafe.theorems.registry import THEOREMS, Theorem, find
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["THEOREMS", "Hypothesis", "Theorem", "TheoremReport", "find"]
