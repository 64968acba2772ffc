"""Published studies, measured again claim by claim: one folder a study."""

from robench.studies import merolla, poster

STUDIES = {study.STUDY.name: study.STUDY for study in (merolla, poster)}
