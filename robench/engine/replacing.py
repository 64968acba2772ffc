"""Other values for a model's tensors, for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def replaced(model: nn.Module, values: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Inside the with-block tensors of a model have other values; afterwards they are put back bit for bit.

    Args:
        model: whose tensors.
        values: by state-dict name, of the same shapes.
    """
    tensors = model.state_dict(keep_vars=True)
    saved = {name: tensors[name].detach().clone() for name in values}
    try:
        for name, value in values.items():
            tensors[name].data.copy_(value)
        yield
    finally:
        for name, before in saved.items():
            tensors[name].data.copy_(before)
