"""Early stopping for images that an attack is not going to fool.

What an attack gains in a window of its steps is, as a rule, more than it gains in any later one. So an image is left
alone when a window has gained no more than the one before, and twice that gain, window for window to the last step,
would not fool the model. That argues with a margin that follows the gradient; where rounding, signs or randomness
decide, an attack takes all of its steps.
"""

import torch
from torch import nn

from robench.engine.blocked import Blocked

CAUTION = 2.0
"""How much more than the last window's gain each later window is granted. With it, of 1,935 images that PGD-20 does not
fool at once, 1 was left alone that more steps fool (docs/attacks.md)."""


class EarlyStopping:
    """The margins of images under attack, followed window by window.

    Args:
        model: no image is left alone on one that does not allow it, or was not made by robench.
        y: labels [N] of the images.
        steps: of the attack.
        window: steps; every image gets two windows.
    """

    def __init__(self, model: nn.Module, y: torch.Tensor, steps: int, window: int) -> None:
        self.window = window if isinstance(model, Blocked) and model.early_stopping else steps
        self.steps = steps
        self.best = torch.full_like(y, -torch.inf, dtype=torch.float32)
        self.before = self.best.clone()
        self.gain = torch.full_like(self.best, torch.inf)

    def should_stop(self, images: torch.Tensor, margin: torch.Tensor, done: torch.Tensor | int) -> torch.Tensor:
        """Take in where some of the images are, and tell which to leave alone.

        Args:
            images: their indices [M].
            margin: what they have reached [M]; positive for a wrong image.
            done: steps taken, of all or of each [M]. It has to be asked before the first and after each window.

        Returns:
            bool [M].
        """
        best = self.best[images] = torch.maximum(self.best[images], margin)
        done = torch.as_tensor(done, device=best.device).expand_as(best)
        ended = done % self.window == 0
        gain = best - self.before[images]
        # Only where gains shrink: a margin that speeds up may still get there, however far it is.
        slowing = ended & (done >= 2 * self.window) & (gain <= self.gain[images])
        stop = slowing & (best + CAUTION * gain * (self.steps - done) / self.window < 0)
        self.before[images[ended]], self.gain[images[ended]] = best[ended], gain[ended]
        return stop
