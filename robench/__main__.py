"""python -m robench."""

from robench.cli.main import app

app()
