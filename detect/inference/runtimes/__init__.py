"""Runtimes: what runs a network on tiles."""
