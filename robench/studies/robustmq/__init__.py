"""Xiao et al. 2023 (RobustMQ): are networks of fewer bits more robust to attacks, and less to noise?"""

from robench.studies.robustmq.figures import figures
from robench.studies.robustmq.numbers import COMMAND, MODELS
from robench.studies.robustmq.page import page
from robench.studies.study import Study

STUDY = Study(COMMAND.split()[-1], "robustmq-2023", MODELS, (), lambda run, folders: {}, page, figures)
