"""What runs inside the guest, with nothing but Python's standard library."""
