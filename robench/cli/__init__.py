"""The command line: the only package that prints."""

BAD_INPUT, OWN_FAULT, INTERRUPTED, TERMINATED = 2, 70, 130, 143
"""Exit statuses: something that the user can put right; a fault of robench's (sysexits' EX_SOFTWARE); signals."""
