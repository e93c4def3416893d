"""What a model's card keeps of the training scenes: what they look like, and how well scores held there."""
