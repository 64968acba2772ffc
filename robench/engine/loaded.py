"""A model as it comes from the zoo, from a file or from the user."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.types import ModelCard
from robench.engine.foreign import Borrowed, in_eval_mode, own_copy
from robench.engine.layers import weights
from robench.quantizers.files import ActivationCode
from robench.quantizers.stored import StoredWeight, stored_float

PLAIN = (torch.Tensor, nn.Parameter)
NO_WEIGHTS = "no weights of convolutions or linear layers are seen in this model"
OWN_CLASS = "its weights are tensors of a class of their own, which cannot be replaced"
NO_COPY = "this model cannot be copied, and robench leaves its weights alone"


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to be prepared.

    Attributes:
        card: what is known of it.
        module: float32 pixels in [0, 1], [N, C, H, W] -> logits; in eval mode, and nobody else's.
        stored: how each of its weights is stored, by state-dict name.
        activations: how the inputs of its layers are quantized, by layer name; empty where they are not.
        runtime: the same network as it ships, computed by another runtime; None where there is no such thing.
        sealed: why distortions and faults cannot reach its weights; "" where they can.
        no_gradient: why it passes no gradient, where that is known beforehand.
        digest: of the file that it was read from, where its parameters may not tell all of it.
    """

    card: ModelCard
    module: nn.Module
    stored: Mapping[str, StoredWeight] = field(default_factory=dict)
    activations: Mapping[str, ActivationCode] = field(default_factory=dict)
    runtime: nn.Module | None = None
    sealed: str = ""
    no_gradient: str = ""
    digest: str = ""


def stored_weights(module: nn.Module, coded: Mapping[str, StoredWeight]) -> dict[str, StoredWeight]:
    """How all weights of a module are stored: as ``coded`` says, the others as the floats that they are."""
    return {name: coded.get(name) or stored_float(weight) for name, weight in weights(module).items()}


def with_stored_size(model: LoadedModel) -> LoadedModel:
    """The model with the size on its card that a file of its stored weights would have."""
    bits = sum(stored.values.numel() * stored.bits for stored in model.stored.values())
    scales = sum(stored.scale.numel() for stored in model.stored.values() if stored.scale is not None)
    others = [t for name, t in model.module.state_dict().items() if name not in model.stored]
    size = bits // 8 + 4 * scales + sum(t.numel() * t.element_size() for t in others if isinstance(t, torch.Tensor))
    count = sum(stored.values.numel() for stored in model.stored.values())
    return replace(model, card=model.card.with_size(count, size))


def from_module(module: nn.Module, name: str, *, own: bool = False) -> LoadedModel:
    """A module that comes without a card.

    Args:
        module: float32 pixels in [0, 1] -> logits. It stays as it is, in its mode: a copy is measured, or, where it
            cannot be copied, the module itself with nothing of it changed.
        name: of the model.
        own: nobody else has the module, so that it needs no copy.

    Raises:
        RobenchError: it has no weights yet.
    """
    network = getattr(module, "network", module)
    architecture = type(network if isinstance(network, nn.Module) else module).__name__
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in module.parameters()):
        raise RobenchError(f"{name} has lazy layers without weights; run it on an image once, and load its weights.")
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        raise RobenchError(f"{name} has weights without memory (device meta); load its weights before.")
    module = in_eval_mode(module if own else own_copy(module))
    known = all(type(weight) in PLAIN for weight in weights(module).values())
    stored = stored_weights(module, {}) if known else {}
    sealed = "" if stored else NO_WEIGHTS if known else OWN_CLASS
    if isinstance(module, Borrowed):
        sealed = NO_COPY
    size = sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())
    card = ModelCard(name, architecture=architecture).with_size(sum(w.values.numel() for w in stored.values()), size)
    return LoadedModel(card, module, stored, sealed=sealed)
