"""The command line: ``robench``, or ``python -m robench``."""

import sys

from robench.cli import INTERRUPTED


def main() -> None:
    """Run a command; Ctrl-C ends it with status 130 from its first moment on, also while modules are imported."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign gets a question mark
    try:
        from robench.cli.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
