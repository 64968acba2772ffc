"""A model as it comes from the zoo, from a file or from the user."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from robench.core.errors import RobenchError
from robench.core.types import ModelCard
from robench.engine.layers import count_weights, weights
from robench.quantizers.files import ActivationCode
from robench.quantizers.stored import StoredWeight, stored_float


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to be prepared.

    Attributes:
        card: what is known of it.
        module: float32 pixels in [0, 1], [N, C, H, W] -> logits; in eval mode, and nobody else's.
        stored: how each of its weights is stored, by state-dict name.
        activations: how the inputs of its layers are quantized, by layer name; empty where they are not.
    """

    card: ModelCard
    module: nn.Module
    stored: Mapping[str, StoredWeight] = field(default_factory=dict)
    activations: Mapping[str, ActivationCode] = field(default_factory=dict)


def stored_weights(module: nn.Module, coded: Mapping[str, StoredWeight]) -> dict[str, StoredWeight]:
    """How all weights of a module are stored: as ``coded`` says, the others as the floats that they are."""
    return {name: coded.get(name) or stored_float(weight) for name, weight in weights(module).items()}


def from_module(module: nn.Module, name: str) -> LoadedModel:
    """A copy of a module that comes without a card; the module itself stays as it is, in its mode.

    Raises:
        RobenchError: it cannot be copied.
    """
    try:
        own = copy.deepcopy(module)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise RobenchError(
            f"{name} cannot be copied ({error}); give robench a model that holds no computed tensors, or a factory."
        ) from error
    stored = stored_weights(own, {})
    tensors = list(own.parameters())
    network = getattr(own, "network", own)
    card = ModelCard(name=name, architecture=type(network if isinstance(network, nn.Module) else own).__name__)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return LoadedModel(card.with_size(count_weights(own), size), own.float().eval(), stored)
