"""The one exception that robench raises for something its user can put right."""


class RobenchError(ValueError):
    """Bad input, a missing file, a damaged one: the message says what is wrong and what to do."""
