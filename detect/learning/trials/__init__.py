"""Looks at a training before it: the rates that it could have, and whether a batch can be learned by heart."""
