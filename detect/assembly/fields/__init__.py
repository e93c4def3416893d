"""Kinds of settings beyond numbers and words, their bounds, and what is said of a setting of another kind."""
