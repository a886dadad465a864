"""The private authority, from its root key to what a broker lets in."""
