"""Output folders at addresses of object stores: a mirror on this machine, of which whole files are published."""
