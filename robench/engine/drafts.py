"""Verdicts that are drafted in bfloat16: float32 decides wherever the draft could be wrong, so that none differs.

How far drafts are off is measured wherever there are both: on the first images of each measurement, under whatever
changes the weights there, and on all images that float32 decides. A draft stands where the label's logit is further
from those that it must be above than so much error, several times over, could have moved it.
"""

import math

import torch

from robench.core.types import Bits
from robench.engine.model import ModelUnderTest
from robench.engine.precision import BFloat16
from robench.engine.verdict import judge, verdict

CALIBRATED = 64
"""Images of each measurement that are judged by both at first."""
CAUTION = 3.0
"""How many times the largest error that was seen, in the gaps that decide, a draft may be off."""
TOP = 5


class Judge:
    """Judges the images of one measurement, batch after batch.

    Args:
        model: whose verdicts are wanted; it drafts where its gradients are taken in bfloat16.
    """

    def __init__(self, model: ModelUnderTest) -> None:
        self.exact, rough = model.exact, model.gradients
        drafts = isinstance(rough.model, BFloat16) and rough.exact is model.exact and not model.random
        self.rough = rough if drafts else None
        self.error = 0.0  # the largest that was seen in a gap, as a share of an image's largest logit
        self.seen = 0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> tuple[Bits, Bits]:
        """Which images [N, C, H, W] are right at the first guess, and within five."""
        first = min(max(CALIBRATED - self.seen, 0), len(x))
        self.seen += len(x)
        if self.rough is None or first == len(x):
            return judge(self.exact, x, y)
        with torch.no_grad():
            if first:
                self._learn(self.rough(x[:first]), self.exact(x[:first]), y[:first])
            if math.isinf(self.error):
                return judge(self.exact, x, y)
            logits = self.rough(x)
            drafted = torch.ones_like(y, dtype=torch.bool)
            while len(doubted := (self._doubted(logits, y) & drafted).nonzero()[:, 0]):
                exact = self.exact(x[doubted])
                self._learn(logits[doubted], exact, y[doubted])
                logits[doubted], drafted[doubted] = exact, False
        return verdict(logits, y)

    def _learn(self, drafts: torch.Tensor, exact: torch.Tensor, y: torch.Tensor) -> None:
        """Take in how far drafts are off; where a logit is not finite, no draft is believed any more."""
        off = (_gaps(drafts, y) - _gaps(exact, y)).abs().amax(1) / exact.abs().amax(1)
        self.error = max([self.error, *torch.nan_to_num(off, nan=math.inf, posinf=math.inf).tolist()])

    def _doubted(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Of which images [N] the verdict could be another if the gaps between logits were off by so much."""
        return ~(_gaps(logits, y).abs().amin(1) > CAUTION * self.error * logits.abs().amax(1))


def _gaps(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """By how much the label's logit is above the first, and the fifth, of the others: [N, 2]."""
    own = logits.gather(1, y[:, None])
    others = logits.scatter(1, y[:, None], -torch.inf).topk(min(TOP, logits.shape[1] - 1), dim=1).values
    return own - others[:, [0, -1]]
