"""What the commands do with assembled objects, one file each."""
