"""Networks: backbones and their weights, heads, receptive fields, the model's card and file."""
