"""How every script of eval/ ends: errors in one line on stderr, exit codes as everywhere in Waqia."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from waqia.errors import WaqiaError


def run(main: Callable[[], int | None]) -> None:
    """Run a script's main and exit: with what it returns, an error's exit code, or 2 where a file cannot be read or written."""
    try:
        code = main()
        sys.stdout.flush()
    except WaqiaError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        code = 2
    sys.exit(code)
