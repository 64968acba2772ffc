"""Quantization after training: what would a model lose in low bits, without being trained for them?"""

import copy
from dataclasses import replace

import torch

from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.engine.activations import calibrated, quantize_inputs
from robench.engine.layers import inner_weights, weights
from robench.engine.loaded import LoadedModel, stored_weights, with_stored_size
from robench.quantizers import QUANTIZERS


def needs_images(quantizer: str) -> bool:
    """Whether a quantizer needs training images, to calibrate activations."""
    return QUANTIZERS[quantizer].activation_bits > 0


@torch.no_grad()
def quantized(loaded: LoadedModel, quantizer: str, training: Dataset | None = None) -> LoadedModel:
    """A copy of a model with quantized weights, and activations where the quantizer says so.

    Args:
        loaded: the model; it stays as it is.
        quantizer: a registered name. Most quantize the inner weights; ``w8a8`` quantizes all, and activations.
        training: images on which activations are calibrated.

    Returns:
        The copy, named ``<model>+<quantizer>``; its twin is the model itself.

    Raises:
        RobenchError: no such quantizer, one that stores floats, or a model without weights for it.
    """
    rule = QUANTIZERS[quantizer]
    if loaded.sealed:
        raise RobenchError(f"--quantize cannot quantize {loaded.card.name}: {loaded.sealed}.")
    module = copy.deepcopy(loaded.module)
    chosen = inner_weights(module) if rule.layers == "inner" else weights(module)
    codes = {name: rule(weight.detach()).store(weight.detach().float()) for name, weight in chosen.items()}
    if not any(weight.is_coded for weight in codes.values()):
        reason = (
            f"{quantizer} stores floats" if codes else f"{loaded.card.name} has no inner convolution or linear layer"
        )
        raise RobenchError(f"--quantize {quantizer} would change nothing: {reason}.")
    for name, weight in codes.items():
        chosen[name].copy_(weight.weight())
    activations = {}
    if rule.activation_bits:
        assert training is not None
        activations = calibrated(module, torch.from_numpy(training.images[:]), rule.activation_bits)
        quantize_inputs(module, activations)
    made = {"after_training": quantizer, "of": loaded.card.name} | _calibration(rule.activation_bits, training)
    card = replace(
        loaded.card,
        name=f"{loaded.card.name}+{quantizer}",
        quantizer=quantizer,
        bits=rule.bits,
        twin=loaded.card.name,
        training=made,
        test={},
    )
    stored = stored_weights(module, {**loaded.stored, **codes})
    return with_stored_size(LoadedModel(card, module, stored, activations))


def _calibration(bits: int, training: Dataset | None) -> dict[str, object]:
    """What the card says of the images on which activations were calibrated."""
    if not bits or training is None:
        return {}
    return {
        "activations": f"{bits} bits, per tensor, from the smallest to the largest value on the calibration images",
        "calibration_source": training.source,
        "calibration_images": len(training),
        "calibration_fingerprint": training.fingerprint,
    }
