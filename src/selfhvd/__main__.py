"""`python -m selfhvd`."""

from selfhvd.cli import main

main()
