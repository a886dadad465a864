"""双随机抽查: a sample of classes drawn by lot, looked at on site, and compared with the evidence."""
