"""Forward passes over the same images that begin where a weight is used."""

from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import fx, nn

from robench.engine.blocked import Blocked
from robench.engine.folding import Folded


class PartialForward:
    """Logits of a model for fixed images, again and again, while one weight at a time is another.

    Of a traced model what comes before the weight is kept, and only the rest computed; others are computed as a whole.

    Args:
        model: pixels in [0, 1] -> logits.
        x: images, float32 [N, C, H, W].
    """

    def __init__(self, model: Blocked, x: torch.Tensor) -> None:
        self.model = model
        self.x = x
        self._numbers = torch.arange(len(x))
        self._known: dict[int, dict[fx.Node, Any]] = {}

    def logits(self, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [N, classes]; with a weight, what comes before it is as it was when they were last asked without."""
        function = partial(self._rest, weight) if weight is not None and self._known else self._all
        with torch.no_grad():
            return torch.cat(self.model.over_blocks(function, self.x, self._numbers))

    def _all(self, x: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        if not isinstance(self.model.model, Folded):
            return self.model.one_block(x)
        run = fx.Interpreter(self.model.model.graph, garbage_collect_values=False)
        logits: torch.Tensor = run.run(x.clone(memory_format=torch.channels_last))
        self._known[int(numbers[0])] = dict(run.env)
        return logits

    def _rest(self, weight: torch.Tensor, x: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.model.model, Folded)
        known = _before(self.model.model, weight, self._known[int(numbers[0])])
        logits: torch.Tensor = fx.Interpreter(self.model.model.graph).run(x, initial_env=known)
        return logits


def _before(model: Folded, weight: torch.Tensor, known: dict[fx.Node, Any]) -> dict[fx.Node, Any]:
    """What is known of the nodes before the first one that uses a weight."""
    used, _ = model.used_for(weight)
    found = {}
    for node in model.graph.graph.nodes:
        if node.op in ("call_module", "get_attr"):
            target = attrgetter(str(node.target))(model.graph)
            if used is target or (isinstance(target, nn.Module) and any(used is p for p in target.parameters())):
                break
        found[node] = known[node]
    return found
