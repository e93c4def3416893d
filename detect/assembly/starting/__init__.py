"""A training that starts from a model: the settings that are the model's, and its weights."""
