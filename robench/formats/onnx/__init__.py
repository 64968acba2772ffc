"""ONNX files: as a torch module with gradients, and as the runtime that they ship for."""
