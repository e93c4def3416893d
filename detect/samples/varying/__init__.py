"""How a sample's pixels are moved and their values changed, at the least cost."""
