"""Heads as they are set and assembled, one file each; `choice` picks the one that `net` names."""
