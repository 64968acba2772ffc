"""Training against random bit errors (RandBET: Stutz et al. 2021, arXiv:2006.13977)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from robench.core.seeding import stream
from robench.engine.recalibration import batch_norms
from robench.faults.chips import below
from robench.faults.memory import Memory
from robench.quantizers.attach import quantized

SOUND = 1.75
"""Errors begin once the loss is below this; before, there is nothing that they could disturb."""


@contextmanager
def erring(network: nn.Module, rate: float, rng: torch.Generator) -> Iterator[None]:
    """Let the quantized weights be read from a chip whose bits err at a rate, as long as the block lasts.

    Batch norm uses its running statistics, as the deployed network does: errors shift what a layer gives, and
    statistics of the batch would hide that. Gradients reach the latent weights straight through.

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
    norms = {norm: norm.training for norm in batch_norms(network)}
    try:
        for name, (rule, stored) in rules.items():
            rule.error = read[name].weight() - stored.weight()
        for norm in norms:
            norm.eval()
        yield
    finally:
        for rule, _ in rules.values():
            rule.error = None
        for norm, training in norms.items():
            norm.train(training)
