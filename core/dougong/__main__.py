"""`python -m dougong`: the same as the command `dougong`."""

from __future__ import annotations

import sys

from dougong.cli import main

if __name__ == "__main__":
    sys.exit(main())
