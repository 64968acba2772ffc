"""A model whose stored bits somebody may turn: what each would do to the loss, and what some of them do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from robench.engine.folding import Folded
from robench.engine.model import ModelUnderTest
from robench.engine.partial import PartialForward
from robench.quantizers.encodings import IntegerEncoding, encoding_named
from robench.quantizers.stored import StoredWeight, decode


class CodedTensor:
    """The codes of one weight as bit patterns, and the value of every pattern.

    Args:
        tensor: the weight that the model computes with, [F, ...].
        stored: how it is stored.

    Attributes:
        patterns: int64 [F, weights of a filter].
        values: float32 [F, patterns]: what each pattern stands for, in each filter.
        changes: float32 [F, patterns, bits]: by how much a flip of each bit, the lowest first, moves it.
    """

    def __init__(self, tensor: torch.Tensor, stored: StoredWeight) -> None:
        encoding = encoding_named(stored.encoding, stored.bits)
        assert isinstance(encoding, IntegerEncoding)
        assert stored.scale is not None
        filters, count = len(stored.values), 2**stored.bits
        self.tensor, self.bits = tensor, stored.bits
        self.patterns = torch.from_numpy(stored.patterns().astype("int64")).reshape(filters, -1)
        codes = torch.from_numpy(encoding.codes(stored.bits)).to(torch.int16).expand(filters, count)
        self.values = decode(codes, stored.scale, stored.zero_point)
        flipped = torch.arange(count)[:, None] ^ (1 << torch.arange(stored.bits))
        self.changes = self.values[:, flipped] - self.values[:, :, None]
        self._filters = torch.arange(filters)[:, None]

    def gains(self, gradient: torch.Tensor) -> torch.Tensor:
        """What the flip of each bit adds to the loss to first order, [F, weights of a filter, bits]."""
        flat = gradient.reshape(self.patterns.shape).cpu()
        return flat[..., None] * self.changes[self._filters, self.patterns]

    def flip(self, places: torch.Tensor) -> None:
        """Turn bits, by their index in what :meth:`gains` gives, in the patterns and in the weight."""
        weights, bits = places // self.bits, places % self.bits
        flat = self.patterns.view(-1)
        for weight, bit in zip(weights.tolist(), bits.tolist(), strict=True):
            flat[weight] ^= 1 << bit
        filters = weights // self.patterns.shape[1]
        where = torch.unravel_index(weights, self.tensor.shape)  # whatever the tensor's order in memory
        self.tensor.data[where] = self.values[filters, flat[weights]].to(self.tensor)


class Victim:
    """A model under test with coded weights, and the images on which it is to fail.

    Args:
        model: its exact form is changed, together with the original.
        coded: its coded weights by state-dict name.
        x: images, float32 [N, C, H, W].

    Attributes:
        y: their labels, int64 [N]: the guesses of the sound model.
    """

    def __init__(self, model: ModelUnderTest, coded: Mapping[str, StoredWeight], x: torch.Tensor) -> None:
        tensors = model.original.model.state_dict(keep_vars=True)
        self.coded = {name: CodedTensor(tensors[name], stored) for name, stored in coded.items()}
        self._exact = model.exact
        self._forward = PartialForward(model.exact, x)
        self._gradients = model.gradients.exact or model.gradients
        self.y = self._forward.logits().argmax(1)

    def loss(self) -> float:
        """Mean cross-entropy now."""
        return self._loss(self._forward.logits())

    def loss_with(self, name: str, places: torch.Tensor) -> float:
        """The same with these bits of one tensor turned; they are turned back. Call :meth:`loss` before."""
        coded = self.coded[name]
        self.flip(name, places)
        loss = self._loss(self._forward.logits(coded.tensor))
        self.flip(name, places)
        return loss

    def flip(self, name: str, places: torch.Tensor) -> None:
        """Turn bits of one tensor."""
        self.coded[name].flip(places)
        if isinstance(self._exact.model, Folded):
            self._exact.model.refresh(self.coded[name].tensor)

    def gains(self) -> dict[str, torch.Tensor]:
        """What the flip of each bit adds to the loss to first order, by tensor."""
        with _differentiable(self._gradients.model, self.coded) as used, torch.enable_grad():
            parameters = [parameter for parameter, _ in used.values()]
            parts = self._gradients.over_blocks(partial(self._gradient, parameters), self._forward.x, self.y)
            found = {}
            for (name, (_, factor)), *gradients in zip(used.items(), *parts, strict=True):
                total = torch.stack(gradients).sum(0) / len(self.y)
                found[name] = total if factor is None else total * factor.view(-1, 1, 1, 1)
        return {name: coded.gains(found[name]) for name, coded in self.coded.items()}

    def _gradient(self, parameters: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Of the summed loss of one block."""
        return torch.autograd.grad(cross_entropy(self._gradients.one_block(x), y, reduction="sum"), parameters)

    def _loss(self, logits: torch.Tensor) -> float:
        loss = float(cross_entropy(logits, self.y))
        return loss if loss == loss else float("inf")  # noqa: PLR0124 (not a number)


Used = dict[str, tuple[torch.Tensor, torch.Tensor | None]]


@contextmanager
def _differentiable(model: nn.Module, coded: Mapping[str, CodedTensor]) -> Iterator[Used]:
    """The parameters with which a model computes in place of its weights, as long as the block lasts with gradients."""
    used: Used = {
        name: model.used_for(part.tensor) if isinstance(model, Folded) else (part.tensor, None)
        for name, part in coded.items()
    }
    for parameter, _ in used.values():
        parameter.requires_grad_(True)
    try:
        yield used
    finally:
        for parameter, _ in used.values():
            parameter.requires_grad_(False)
