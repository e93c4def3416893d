"""Reviewing: a person's look at what was found, on a page of this machine alone."""
