"""Networks written for other programs: ONNX, OpenVINO, and torch's own programs, with what a reader needs to know."""
