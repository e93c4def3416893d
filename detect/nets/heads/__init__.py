"""Heads, one file each: what a network says of the features."""
