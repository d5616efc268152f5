"""`python -m symsafe` is the command line."""

from symsafe.cli import main

main()
