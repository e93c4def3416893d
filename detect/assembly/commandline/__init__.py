"""What people type, in the grammar of hydra."""
