"""Architectures: a function's name is the model's id; it takes ``num_classes`` and gives an untrained network."""

from collections.abc import Callable

from torch import nn

from robench.core.registry import Registry

ARCHITECTURES: Registry[Callable[..., nn.Module]] = Registry("architecture", "robench.architectures")
register = ARCHITECTURES.register
