"""Bare patches, each a file in the folder of its class: how they are read, what is built from them, and samples."""
