"""`python -m cli.capacity ENVIRONMENT LAYER…`: the comparison of an update with the quotas.

`cli.capacity.beside` runs it and reads the last line of its output, a JSON document.
"""

from __future__ import annotations

import json
import os
import sys

from cli.capacity import check
from cli.errors import CliError
from gkeplatform.layers import named


def main() -> None:
    """Print what is to be said, and the error of an update that does not fit."""
    environment, *layers = sys.argv[1:]
    lines: list[str] = []
    try:
        lines, error = check.of_update(environment, os.environ, [named(one) for one in layers])
    except CliError as refused:
        error = refused
    told = {"message": str(error), "hint": error.hint, "code": int(error.code)} if error else None
    print(json.dumps({"lines": lines, "error": told}))


if __name__ == "__main__":
    main()
