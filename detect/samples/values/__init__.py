"""The values of training images: measured, normalised for the network, and varied."""
