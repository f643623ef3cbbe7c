"""`python -m clickpulse` is the `clickpulse` command."""

from clickpulse.cli import main

main()
