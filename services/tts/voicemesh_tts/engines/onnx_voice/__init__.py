"""What voices have in common that onnxruntime computes."""
