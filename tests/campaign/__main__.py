"""``python -m campaign``, in the folder ``tests``."""

import sys

from campaign.runner import main

if __name__ == "__main__":
    sys.exit(main())
