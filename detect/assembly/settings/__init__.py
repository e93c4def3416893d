"""Typed settings of every command, in the shape of the groups in `conf/`; every default stands there, none here."""
