"""The Hugging Face Hub where there is a network, and its cache at once where there is none.

Its client tries again for up to a minute when it reaches nobody, and says so each time. So it is asked once first.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from types import ModuleType
from typing import Any

from robench.core.errors import RobenchError, foreign_code
from robench.core.optional import import_optional

PATIENCE = 5.0
"""Seconds for an answer from the hub."""
SILENCE = 20.0
"""Seconds that a download may stand still."""


def reachable() -> bool:
    """Whether the hub answers, whatever it says."""
    hub, answers = import_optional("huggingface_hub"), list[bool]()
    # In a thread, since looking up a name takes its time, too, and heeds no time limit.
    asking = Thread(target=lambda: answers.append(_answers(hub)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return any(answers)


def _answers(hub: ModuleType) -> bool:
    try:
        with foreign_code("the hub"):
            hub.get_session().head(hub.constants.ENDPOINT, timeout=PATIENCE)
    except RobenchError:
        return False
    return True


@contextmanager
def cache_alone_if_offline() -> Iterator[bool]:
    """As long as the block lasts, libraries take from the hub's cache what they can where the hub does not answer.

    Yields:
        whether it answers.
    """
    constants: Any = import_optional("huggingface_hub.constants")
    before, silence = constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()
    online = not before and reachable()
    constants.HF_HUB_OFFLINE = not online
    socket.setdefaulttimeout(SILENCE)  # weights that lie elsewhere are fetched without any
    try:
        yield online
    finally:
        constants.HF_HUB_OFFLINE = before
        socket.setdefaulttimeout(silence)
