"""Classifiers of whole images at work: how sure they are, and runs of theirs against known classes."""
