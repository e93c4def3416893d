"""Assembly: from settings to objects, each decision logged; the only room that knows hydra."""
