"""Random streams that depend on what is drawn, never on when: batch size, order and resuming cannot change a score."""

import hashlib

import numpy as np


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """A counter-based generator (Philox) for one thing, such as the noise of one image.

    Args:
        seed: the suite's seed.
        key: what the numbers are for: (kind, name, draw, image index or tensor name). Equal keys give equal
            numbers on every machine; different keys give independent ones.
    """
    text = "\x1f".join(str(part) for part in (seed, *key))
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
