"""Training against random bit errors (RandBET: Stutz et al. 2021, arXiv:2006.13977)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from robench.core.seeding import stream
from robench.faults.chips import below
from robench.faults.memory import Memory
from robench.quantizers.attach import quantized


@contextmanager
def erring(network: nn.Module, rate: float, rng: torch.Generator) -> Iterator[None]:
    """Let the quantized weights be read from a chip whose bits err at a rate, as long as the block lasts.

    Gradients reach the latent weights straight through.

    Args:
        network: with quantizers attached.
        rate: of bit errors.
        rng: draws the chip.
    """
    seed = int(torch.randint(2**62, (1,), generator=rng))
    rules = {name: (rule, rule.store(latent.detach())) for name, rule, latent in quantized(network)}
    memory = Memory({name: stored for name, (_, stored) in rules.items()})
    memory.flip(below(memory.size, rate, partial(stream, seed, "training"))[0])
    read = memory.contents()
    try:
        for name, (rule, stored) in rules.items():
            rule.error = read[name].weight() - stored.weight()
        yield
    finally:
        for rule, _ in rules.values():
            rule.error = None
