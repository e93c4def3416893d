"""Reporting: what people read, tables, pictures and pages. Nothing here computes a result."""
