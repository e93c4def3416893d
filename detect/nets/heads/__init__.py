"""Heads, one file each: the layers that turn features into a map; `specs` names them without torch."""
