"""Runs that are killed or whose disk is full: how they are started, what they count, and what they must leave."""
