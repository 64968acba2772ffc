"""onnxruntime as a module: what ships is what judges."""

from typing import Any

import torch

from robench.core.optional import import_optional
from robench.engine.tracing import Opaque
from robench.formats.onnx.read import OnnxFile


class Session(Opaque):
    """An onnxruntime session on the CPU; it passes no gradient.

    Args:
        file: a checked file.

    Raises:
        RobenchError: onnxruntime is missing.
        Exception: onnxruntime cannot make a session of the file.
    """

    def __init__(self, file: OnnxFile) -> None:
        super().__init__()
        library = import_optional("onnxruntime")
        options = library.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = library.InferenceSession(str(file.path), options, providers=["CPUExecutionProvider"])
        self._input, self._dtype = file.name, file.dtype
        self._permuted = file.channels_come_last
        self._batch = file.shape[0]
        self._output = self._session.get_outputs()[0].name
        self.runtime = f"onnxruntime {library.__version__}"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Session":
        """A session keeps nothing from one call to the next, and needs no copy."""
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pixels [N, C, H, W] -> float32 logits, without a gradient."""
        x = x.permute(0, 2, 3, 1) if self._permuted else x
        images = x.detach().cpu().contiguous()
        size = self._batch or len(images)
        missing = -len(images) % size
        images = torch.cat([images, images.new_zeros(missing, *images.shape[1:])]) if missing else images
        logits = torch.cat([self._run(part) for part in images.split(size)])
        return logits[: len(x)].to(x.device)

    def _run(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of one batch of the size that the file asks for."""
        (logits,) = self._session.run([self._output], {self._input: images.numpy().astype(self._dtype)})
        return torch.from_numpy(logits).float()
