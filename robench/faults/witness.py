"""What shows that a network fell to a few bits: the list of those bits, in the order in which they were turned."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from robench.core.errors import RobenchError
from robench.core.types import Bits, Measurement
from robench.engine.replacing import replaced
from robench.engine.task import Task, judge_images
from robench.faults.apply import target_weights
from robench.faults.victim import CodedTensor

Arrays = dict[str, npt.NDArray]


def turned_bits(steps: Sequence[tuple[str, torch.Tensor]], flips: int) -> Arrays:
    """The first ``flips`` bits of a search.

    Returns:
        ``tensors``: names of weights; int32 ``tensor`` [flips]: which of them; int64 ``bits`` [flips]: weight within it
        times bits of a code, plus the bit, the lowest first.
    """
    pairs = [(name, bit) for name, bits in steps for bit in bits.tolist()][:flips]
    names = sorted({name for name, _ in pairs})
    return {
        "tensors": np.array(names, str),
        "tensor": np.array([names.index(name) for name, _ in pairs], np.int32),
        "bits": np.array([bit for _, bit in pairs], np.int64),
    }


def unconfirmed(task: Task, measurement: Measurement, arrays: Mapping[str, Any]) -> Bits:
    """Images that a card calls wrong, and that are right with these bits turned; all where the bits are more.

    Raises:
        RobenchError: the arrays are no bits of this network.
    """
    bits = _by_tensor(arrays)
    fallen: Bits = ~measurement.top1
    if sum(map(len, bits.values())) > dict(measurement.numbers).get("flips", 0):
        return fallen
    tested = task.model
    model, coded = tested.original.model, target_weights(tested.original.model, tested.stored)
    state = model.state_dict(keep_vars=True)
    try:
        with replaced(model, {name: model.state_dict()[name] for name in coded}):
            for name, places in bits.items():
                if name not in coded or not coded[name].is_coded:
                    raise RobenchError(f"it turns bits of {name}, which this network does not store as codes")
                tensor = CodedTensor(state[name], coded[name])
                if len(places) and not 0 <= places.min() <= places.max() < tensor.patterns.numel() * tensor.bits:
                    raise RobenchError(f"it turns bits of {name} that there are not")
                tensor.flip(torch.from_numpy(places))
            tested.refresh()
            top1, _ = judge_images(task, task.data.images, lambda done, correct: None)
    finally:
        tested.refresh()
    return fallen & top1


def _by_tensor(arrays: Mapping[str, Any]) -> dict[str, npt.NDArray[np.int64]]:
    try:
        names, tensor, bits = (arrays[name] for name in ("tensors", "tensor", "bits"))
        where = tensor.astype(np.int64).reshape(len(bits))
        return {str(name): bits.astype(np.int64)[where == place] for place, name in enumerate(names)}
    except (KeyError, AttributeError, ValueError) as error:
        raise RobenchError(f"it is no list of bits: {error}") from error
