"""Wafers: the lists of defects that inspection tools write, and what such a list says of its wafer."""
