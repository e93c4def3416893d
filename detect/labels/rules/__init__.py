"""Rules on the rows of annotation files, one file each kind, the same for every format."""
