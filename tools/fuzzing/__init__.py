"""What `tools/fuzz_inputs.py` is made of: inputs of five kinds, a child that is watched, and who judges it."""
