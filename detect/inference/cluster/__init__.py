"""Clusters: workers on the machines of a Ray cluster, which share the images of a run."""
