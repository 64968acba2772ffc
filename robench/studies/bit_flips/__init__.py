"""Rakin, He and Fan 2019, and Stutz et al. 2021: bits that flip in the memory of networks of 8 to 1 bits."""

from robench.studies.bit_flips.figures import figures
from robench.studies.bit_flips.numbers import COMMAND, MODELS
from robench.studies.bit_flips.page import page
from robench.studies.study import Study

STUDY = Study(COMMAND.split()[-1], "bit-flips-2019", MODELS, (), lambda run, folders: {}, page, figures)
