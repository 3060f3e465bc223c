"""Neural networks as emulators: torch modules, trained by automatic differentiation, run from ONNX."""
