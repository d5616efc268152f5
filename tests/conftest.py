"""Processes that the tests start find the package compiled, whatever the machine says about it."""

import os

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
