"""Samples: what a network is shown, from labelled scenes to an epoch's patches and crops with their targets."""
