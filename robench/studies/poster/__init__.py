"""Haghgoo, Seah and Emami 2018 (poster): ternary against full-precision ResNet-20 under noise and attack."""

from robench.studies.poster.facts import facts
from robench.studies.poster.figures import figures
from robench.studies.poster.numbers import COMMAND, MODELS
from robench.studies.poster.page import page
from robench.studies.study import Study

STUDY = Study(COMMAND.split()[-1], "poster-2018", MODELS, (), facts, page, figures)
