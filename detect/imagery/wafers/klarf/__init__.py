"""KLARF files of inspection tools, versions 1.0 to 1.2 and 1.8: words, events, heads, defects and their counts."""
