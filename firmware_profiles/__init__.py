"""Profiles of hardware and firmware models: one YAML file each, beside the loader."""
