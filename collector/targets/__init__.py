"""Targets: what the programme promised, and which evidence proves it. One YAML file a programme, beside the loader."""
