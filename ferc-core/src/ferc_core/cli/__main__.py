"""``python -m ferc_core.cli``."""

from ferc_core.cli import main

main()
