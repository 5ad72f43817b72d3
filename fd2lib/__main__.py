"""``python -m fd2lib``."""

import sys

from fd2lib.drive.cli import main

if __name__ == "__main__":
    sys.exit(main())
