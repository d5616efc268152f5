"""Section 5: a reward model that is close in mean error is close in every other metric."""

from symsafe.model import loads_problem
from symsafe.problems import text
from symsafe.theorems import error_metrics

print(error_metrics.verify(loads_problem(text("chatbot"))))
