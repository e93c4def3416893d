"""What `tools/check_cluster.py` is made of: material, processes that are watched, and who judges what they took."""
