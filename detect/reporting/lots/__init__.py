"""The report for lots: wafers with their patterns, and how many defects lie in which zone of them."""
