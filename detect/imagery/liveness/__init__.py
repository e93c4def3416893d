"""Liveness: work that gives no result for long says from where it works that it goes on."""
