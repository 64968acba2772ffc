"""Published studies, measured again claim by claim: one file a study."""
