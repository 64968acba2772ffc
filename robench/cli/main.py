"""Gathers the commands."""

import robench.cli.cite
import robench.cli.cluster
import robench.cli.compare
import robench.cli.evaluate
import robench.cli.leaderboard
import robench.cli.listing
import robench.cli.plot
import robench.cli.proof
import robench.cli.reproduce
import robench.cli.show
import robench.cli.site
import robench.cli.table
import robench.cli.train
import robench.cli.zoo  # noqa: F401 (each module registers its commands)
from robench.cli.app import app

__all__ = ["app"]
