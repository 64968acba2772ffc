"""The exceptions that robench raises for something its user can put right."""

from collections.abc import Iterator
from contextlib import contextmanager


class RobenchError(ValueError):
    """Bad input, a missing file, a damaged one: the message says what is wrong and what to do."""


class NotHereError(RobenchError):
    """What was asked for is not on this machine and cannot be fetched; nothing that is here is damaged."""


class ForeignError(RobenchError):
    """Code that is not robench's own failed: the message says whose, and with what."""


class RobenchWarning(UserWarning):
    """Something is left out, and the rest goes on: the message says what, and why."""


@contextmanager
def foreign_code(what: str) -> Iterator[None]:
    """Code that is not robench's runs in the block: whatever it raises, ``SystemExit`` too, is its own fault.

    Raises:
        ForeignError: it failed; the sentence says so.
    """
    try:
        yield
    except RobenchError:
        raise
    except (Exception, SystemExit) as error:
        reason = (str(error).strip() or "no message").splitlines()[0][:300]
        raise ForeignError(f"{what} failed with {type(error).__name__}: {reason}") from error
