"""Dots that people painted on copies of photographs: found, told apart by colour, and read as points."""
