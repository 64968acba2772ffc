"""Published studies, measured again claim by claim: one folder a study."""

from robench.studies import bit_flips, merolla, poster, robustmq

STUDIES = {study.STUDY.name: study.STUDY for study in (bit_flips, merolla, poster, robustmq)}
