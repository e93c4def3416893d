"""Which pixels of an image are there: what a file says, read by window, and what the others are filled with."""
