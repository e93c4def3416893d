"""Whole images as samples: their sides, how they are varied, and the samples of a training run."""
