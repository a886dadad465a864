"""How the product is put to work: files for other programs, and what makes them."""
