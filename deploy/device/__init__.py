"""
What changes the software of a device, and goes on working when a release is broken: releases and their trial, and pull.

These programs are installed beside the releases, never in one, and need Python's standard library and openssl.
"""
