"""The command line; one file a command."""

from selfhvd.cli.app import app, main

__all__ = ["app", "main"]
