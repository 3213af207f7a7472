"""`python -m remit` is the `remit` command."""

import sys

from remit.cli import main

if __name__ == "__main__":
    sys.exit(main())
