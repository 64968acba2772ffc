"""The images that a model says it takes: its own data configuration, where it has one."""

from robench.core.errors import RobenchError
from robench.data.resizing import INTERPOLATIONS, InputSize
from robench.engine.loaded import LoadedModel


def input_size(model: LoadedModel) -> InputSize | None:
    """The input size of a timm model, or of a module with a ``pretrained_cfg`` as timm's have.

    Read are its keys ``input_size`` (C, H, W), ``crop_pct``, ``crop_mode`` ("center" or "squash"), ``interpolation``
    and ``fixed_input_size``; None where a module, and the network in it, has no such dictionary.

    Raises:
        RobenchError: something else stands there.
    """
    network = getattr(model.module, "network", model.module)
    found = getattr(network, "pretrained_cfg", None)
    if not isinstance(found, dict) or not found.get("input_size"):
        return None
    try:
        _, height, width = (int(side) for side in found["input_size"])
        size = InputSize(
            width,
            height,
            float(found.get("crop_pct") or InputSize.crop),
            str(found.get("interpolation") or "bicubic"),
            squash=found.get("crop_mode") == "squash",
            fixed=bool(found.get("fixed_input_size")),
        )
    except (TypeError, ValueError) as error:
        raise RobenchError(f"the pretrained_cfg of {model.card.name} cannot be read: {error}.") from error
    if not (0 < size.crop <= 1 and min(width, height) > 0 and size.interpolation in INTERPOLATIONS):
        raise RobenchError(f"the pretrained_cfg of {model.card.name} names no images that there can be: {size}.")
    return size
