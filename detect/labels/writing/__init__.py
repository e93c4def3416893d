"""Writing objects in the formats of other programs: one file a format, one line in `format_table`."""
