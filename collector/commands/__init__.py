"""Commands of `santong`, a file a subject; `collector/cli.py` mounts them."""
