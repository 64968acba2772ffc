"""The command line: ``robench``, or ``python -m robench``."""

import faulthandler
import sys
from contextlib import suppress

from robench.cli import INTERRUPTED


def main() -> None:
    """Run a command; Ctrl-C ends it with status 130 from its first moment on, also while modules are imported."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign gets a question mark
    with suppress(OSError, ValueError, AttributeError, RuntimeError):  # no file behind stderr
        faulthandler.enable()  # a library that ends the process does not do so without a word
    try:
        from robench.cli.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
