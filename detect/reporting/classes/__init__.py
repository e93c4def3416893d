"""What is written of a classifier that was judged: tables, pictures and a page."""
