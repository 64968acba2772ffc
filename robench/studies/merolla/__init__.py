"""Merolla et al. 2016 (arXiv:1606.01981): networks trained with weight projections withstand weight distortions."""

from robench.studies.merolla import facts, figures, page
from robench.studies.merolla.numbers import COMMAND, LARGE, MODELS, WIDE
from robench.studies.study import Study

STUDY = Study(COMMAND.split()[-1], "merolla-2016", MODELS, LARGE, facts.facts, page.page, figures.figures, WIDE)
