"""The command line ``ferc``. Importing it is light: each command imports what it needs."""

from ferc_core.cli.main import main

__all__ = ["main"]
