"""From a plain network to one that trains under a quantizer, and from that to its deployed weights."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from robench.quantizers import QUANTIZERS
from robench.quantizers.base import Quantizer, glorot_bound
from robench.quantizers.stored import StoredWeight


def attach(layers: Mapping[str, nn.Module], quantizer: str, clip: float = 0.0) -> None:
    """Put the named quantizer on the weight of each layer, in place; from now on the layer computes with low bits.

    Args:
        layers: convolutions and linear layers by name.
        quantizer: a registered name.
        clip: bound of the latent weights in units of each layer's Glorot bound; 0 leaves the rule's own.
    """
    for layer in layers.values():
        assert isinstance(layer.weight, torch.Tensor)
        rule = QUANTIZERS[quantizer](layer.weight.detach())
        if clip:
            rule.bound, rule.bounds_early = clip * glorot_bound(layer.weight), True
        parametrize.register_parametrization(layer, "weight", rule)


def quantized(network: nn.Module) -> Iterator[tuple[str, Quantizer, torch.Tensor]]:
    """(layer name, its quantizer, its latent weight) of each layer that has one."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Module) and parametrize.is_parametrized(layer, "weight"):
            chain: Any = layer.parametrizations["weight"]  # type: ignore[index,union-attr]
            rule = chain[0]
            if isinstance(rule, Quantizer):
                yield name, rule, chain.original


def after_step(network: nn.Module) -> None:
    """Let quantizers bound their latent weights; call it after each optimizer step."""
    for _, rule, latent in quantized(network):
        if rule.active or rule.bounds_early:
            rule.after_step(latent)


def set_active(network: nn.Module, active: bool) -> None:
    """Switch every quantizer on or off."""
    for _, rule, _ in quantized(network):
        rule.active = active


def restart(network: nn.Module) -> None:
    """Let every quantizer take its own parameters afresh from its latent weight."""
    for _, rule, latent in quantized(network):
        rule.restart(latent.detach())


@torch.no_grad()
def weights_in_use(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state that a network without quantizers needs to compute what ``network`` computes in its present mode."""
    state = {name: tensor for name, tensor in network.state_dict().items() if ".parametrizations." not in name}
    inner = {name: network.get_submodule(name).weight for name, _, _ in quantized(network)}
    return state | {f"{name}.weight": weight for name, weight in inner.items() if isinstance(weight, torch.Tensor)}


@torch.no_grad()
def deploy(network: nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, StoredWeight]]:
    """What a trained network is shipped as.

    Returns:
        The float tensors (state-dict names), and the stored form of each weight that is coded, by its state-dict name.
    """
    floats = {name: tensor for name, tensor in network.state_dict().items() if ".parametrizations." not in name}
    codes: dict[str, StoredWeight] = {}
    for name, rule, latent in quantized(network):
        stored = rule.store(latent.detach())
        if stored.is_coded:
            codes[f"{name}.weight"] = stored
        else:
            floats[f"{name}.weight"] = latent.detach()
    return floats, codes
