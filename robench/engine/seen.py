"""The weights that reach a model's convolutions and linear layers, whoever computes them: seen in a forward pass.

A model of one's own may quantize latent weights as it goes (LSQ, DoReFa, Brevitas, a parametrization), hold codes in a
buffer, or call ``conv2d`` with parameters of a class of its own. What is deployed, and so what is distorted, is what
reaches the layer.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.engine.foreign import Borrowed, own_copy, prepared
from robench.engine.layers import Weighted, layer_of, weights
from robench.engine.loaded import NO_COPY, NO_WEIGHTS, LoadedModel, stored_weights, with_stored_size
from robench.engine.substituted import LAYERS, hide, retire, substitute, weight_of
from robench.quantizers.levels import low_bit
from robench.quantizers.stored import StoredWeight, coded

METHOD = "low_bit_codes"
"""A module says by this method what the weight of its layer is (see ``docs/models.md``)."""
LARGEST_CODE = 8
"""Bits."""
FLOATS = (16, 32)
"""Numbers of bits that mean floats."""
SAME = 1e-4
"""How far logits may move, as a share of the largest, when a layer is given the seen weight."""
CHANGED = -1.5
"""Factor on all weights, to see whether the forward pass computes with them."""
FEW = 0.1
"""Share of a model's weights that may be coded in one of full precision, such as the fixed kernel of a blur."""
OWN = "own"
"""The quantizer on the card of a model whose low bits were seen."""


@dataclass(frozen=True)
class Call:
    """A call of a convolution or linear layer.

    Attributes:
        module: in whose forward pass.
        weight: what it was given; a copy.
        plain: it is that module's parameter ``weight`` as it stands, or another parameter's.
    """

    module: nn.Module
    weight: torch.Tensor
    plain: bool


def with_seen_weights(loaded: LoadedModel, x: torch.Tensor, bits: int = 0) -> LoadedModel:
    """A model of one's own with the weights that reach its layers, as codes where they have few levels.

    Args:
        loaded: the model; it stays as it is.
        x: a few images in [0, 1], [N, C, H, W].
        bits: of a code, where the user knows; 16 or 32 for weights that are to be taken as floats; 0 for what is seen.

    Returns:
        The model; where it fails on the images, computes another weight each time, or gives other logits with the
        weights that were seen, with what could be had. As it is where its weights are out of reach, or came as codes.

    Raises:
        RobenchError: a module says of its weight what is not so.
    """
    module = own_copy(loaded.module)
    if isinstance(module, Borrowed) and not loaded.sealed:
        return replace(loaded, stored={}, sealed=NO_COPY)
    sealed = isinstance(module, Borrowed) or loaded.sealed not in ("", NO_WEIGHTS)
    coded = any(weight.is_coded for weight in loaded.stored.values())
    if coded and bits and bits not in (*FLOATS, loaded.card.bits):
        raise RobenchError(
            f"--bits {bits} does not fit {loaded.card.name}: it stores codes of {loaded.card.bits} bits."
        )
    if sealed or coded:
        return loaded
    module = prepared(module, x.device)
    x = x.to(next((parameter.device for parameter in module.parameters()), x.device))
    answers = False
    try:
        with _quiet(x), torch.no_grad():
            before = module(x)
            answers = True
            _unhook(module)
            everything = _numbers(module)
            _settle(module, x)
            after = module(x)
        same = _near(after, before)
    except RobenchError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's code)
        if not answers:  # which is said when the model is tried
            return loaded
        why = f"the weights that reach its layers could not be seen ({type(error).__name__}: {short(error, 200)})"
        return replace(loaded, stored={}, sealed=why)
    if not same:
        module = prepared(copy.deepcopy(loaded.module), x.device)
    codes = {} if bits in FLOATS else dict(_codes(module, bits))
    own = module.state_dict(keep_vars=True)
    for name, code in codes.items():
        own[name].data.copy_(code.weight())
    every = stored_weights(module, codes)
    shown = _most(every)
    if bits and bits not in FLOATS and shown != bits:
        codes_are = f"codes of {shown} bits are" if shown <= LARGEST_CODE else "no codes are"
        raise RobenchError(f"--bits {bits} does not fit {loaded.card.name}: {codes_are} seen in its weights.")
    card = replace(loaded.card, bits=shown, quantizer=OWN if shown <= 8 else loaded.card.quantizer)
    sealed_for = _obstacle(module, every, x) if every else loaded.sealed
    reached = replace(loaded, card=card, module=module, stored=every, sealed=sealed_for)
    found = with_stored_size(reached)
    return replace(found, card=replace(found.card, weights_in_all=max(everything, found.card.weights)))


def _obstacle(module: nn.Module, stored: Mapping[str, StoredWeight], x: torch.Tensor) -> str:
    """Why a change of a module's weights would not be measured; "" where it would.

    A hook may write a weight anew in each pass, and a forward pass of the module's own may ask another module.
    """
    copied = own_copy(module)
    own = copied.state_dict(keep_vars=True)
    try:
        with _quiet(x), torch.no_grad():
            before = copied(x)
            for name in stored:
                own[name].data.mul_(CHANGED)
            told = {name: own[name].detach().clone() for name in stored}
            after = copied(x)
    except Exception:  # noqa: BLE001 (the user's code, with weights that it has never seen)
        return ""
    written = [name for name, value in told.items() if not torch.equal(copied.state_dict()[name], value)]
    if written:
        return f"its forward pass writes the weight of {layer_of(written[0])} anew, whatever stands there"
    moved = not torch.equal(before, after) or not any(bool(value.any()) for value in told.values())
    return "" if moved else "its forward pass does not compute with its own weights"


def _settle(module: nn.Module, x: torch.Tensor) -> None:
    """Let layers that compute their weight in each forward pass be given what was seen there."""
    for part in list(module.modules()):
        if isinstance(part, Weighted) and parametrize.is_parametrized(part, "weight"):
            _make_plain(part)
    first, second = watched(module, x), watched(module, 1 - x.flip(-1))
    for part, calls in first.items():
        if isinstance(part, Weighted) and not calls and not parametrize.is_parametrized(part):
            hide(part, "weight", part.weight)  # it computes with its weight by other means
    for part, calls in first.items():
        others = second.get(part, [])
        constant = len(calls) == len(others) and all(map(_equal, calls, others))
        if calls and constant and not (isinstance(part, Weighted) and all(call.plain for call in calls)):
            substitute(part, [call.weight for call in calls])
            retire(part, {call.weight.numel() for call in calls}, idle=[m for m in part.modules() if not first.get(m)])


def _make_plain(layer: Weighted) -> None:
    """Let a parametrized layer be a plain one with the weight that it computes.

    torch's own ``remove_parametrizations`` changes the class, which a copy shares with the module that it is one of.
    """
    if set(layer.parametrizations) == {"weight"}:  # type: ignore[arg-type]
        weight = layer.weight.detach().clone()
        del layer.parametrizations
        layer.__class__ = type(layer).__bases__[0]
        layer.weight = nn.Parameter(weight, requires_grad=False)


def _unhook(module: nn.Module) -> None:
    """Let layers keep as parameters what hooks of torch's (pruning, the older weight norm) made in the last pass."""
    for layer in module.modules():
        for key, hook in list(layer._forward_pre_hooks.items()):  # noqa: SLF001 (there is no public way to ask)
            name = getattr(hook, "_tensor_name", getattr(hook, "name", ""))
            value = vars(layer).get(name)
            if type(hook).__module__.startswith("torch.nn.utils.") and isinstance(value, torch.Tensor):
                del layer._forward_pre_hooks[key]  # noqa: SLF001
                own = [*dict(layer.named_parameters(recurse=False)), *dict(layer.named_buffers(recurse=False))]
                for source in [source for source in own if source.startswith(f"{name}_")]:
                    delattr(layer, source)
                delattr(layer, name)
                layer.register_parameter(name, nn.Parameter(value.detach().clone(), requires_grad=False))


def watched(model: nn.Module, x: torch.Tensor) -> dict[nn.Module, list[Call]]:
    """The calls that each module of a model makes itself in its last forward pass (``nn.MultiheadAttention``: none).

    Other modules, which a closure may hold, are somebody else's.
    """
    found: dict[nn.Module, list[Call]] = {}
    running: list[nn.Module] = []
    # As they are before the pass: ``torch.func.functional_call`` puts computed ones in their place while it runs.
    parameters = {module: module._parameters.get("weight") for module in model.modules()}  # noqa: SLF001 (a computed one is no parameter)

    def begin(module: nn.Module, inputs: Any) -> None:
        running.append(module)
        found[module] = []

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            weight = weight_of(args, kwargs or {}) if func in LAYERS else None
            if running and running[-1] in parameters and weight is not None:
                owner = running[-1]
                tensor = weight if isinstance(weight, torch.Tensor) else weight.value
                found[owner].append(Call(owner, tensor.detach().clone(), weight is parameters.get(owner)))
            return func(*args, **(kwargs or {}))

    hooks = [register_module_forward_pre_hook(begin), register_module_forward_hook(end, always_call=True)]
    try:
        with Watch():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    own = {module: calls for module, calls in found.items() if module in parameters}
    return {module: calls for module, calls in own.items() if calls or isinstance(module, Weighted)}


def _codes(module: nn.Module, bits: int) -> Iterator[tuple[str, StoredWeight]]:
    """The weights that take few values, by state-dict name."""
    modules = dict(module.named_modules())
    for name, weight in weights(module).items():
        owner = modules.get(layer_of(name))
        said = getattr(owner, METHOD, None)
        stored = _said(said(), weight, name) if callable(said) else low_bit(weight, bits)
        if stored is not None:
            yield name, stored


def _said(answer: Any, weight: torch.Tensor, name: str) -> StoredWeight:
    """What a module says of its weight, held to what reaches the layer."""
    where = f"{METHOD}() of {layer_of(name) or 'the model'}"
    try:
        codes, scale, bits = answer
        scale = torch.as_tensor(scale, dtype=torch.float32).detach().cpu().reshape(1, -1)
        stored = coded(codes.detach().cpu().view(weight.shape), scale, int(bits))
    except RobenchError as error:
        raise RobenchError(f"{where}: {error}") from error
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RobenchError(
            f"{where} must give (codes of the weight's shape, scale or scales, bits): {error}."
        ) from error
    off = float((stored.weight() - weight.detach().cpu()).abs().max())
    if off > SAME * float(weight.abs().max()):
        raise RobenchError(f"{where} does not fit the weight that reaches its layer: they differ by up to {off:.3g}.")
    return stored


def _most(stored: Mapping[str, StoredWeight]) -> int:
    """The bits that most of the coded weights have; 32 where hardly any are coded."""
    counts: dict[int, int] = {}
    for weight in stored.values():
        if weight.is_coded:
            counts[weight.bits] = counts.get(weight.bits, 0) + weight.values.numel()
    everything = sum(weight.values.numel() for weight in stored.values())
    return max(counts, key=lambda bits: counts[bits]) if sum(counts.values()) > FEW * everything else 32


def _numbers(module: nn.Module) -> int:
    """In what could be weights: parameters and buffers that are long in at least two dimensions."""
    held = module.state_dict(keep_vars=True).values()
    tensors = {id(tensor): tensor for tensor in held if isinstance(tensor, torch.Tensor)}.values()
    return sum(tensor.numel() for tensor in tensors if sum(length > 1 for length in tensor.shape) > 1)


def _equal(first: Call, second: Call) -> bool:
    return first.weight.shape == second.weight.shape and torch.allclose(first.weight, second.weight, rtol=1e-6, atol=0)


def _near(first: torch.Tensor, second: torch.Tensor) -> bool:
    return bool((first - second).abs().max() <= SAME * second.abs().max().clamp(min=1e-6))


@contextmanager
def _quiet(x: torch.Tensor) -> Iterator[None]:
    """Random numbers that a model draws are the same each time, and are not taken from anybody else's."""
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(0)
        yield
