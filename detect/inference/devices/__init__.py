"""Devices: one process for each of them, which share the images of a run."""
