"""`python -m gpudeck` is `gpudeck`."""

from gpudeck.cli import main

main()
