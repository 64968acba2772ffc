"""Weight quantizers: full precision, binary and ternary, as torch parametrizations with a straight-through gradient."""

from robench.core.registry import Registry
from robench.quantizers.base import Quantizer

QUANTIZERS: Registry[type[Quantizer]] = Registry("quantizer", "robench.quantizers")
register = QUANTIZERS.register
