"""The exceptions that robench raises for something its user can put right."""


class RobenchError(ValueError):
    """Bad input, a missing file, a damaged one: the message says what is wrong and what to do."""


class NotHereError(RobenchError):
    """What was asked for is not on this machine and cannot be fetched; nothing that is here is damaged."""
