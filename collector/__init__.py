"""The centre: receives batches, checks them, stores them, acknowledges what the store has."""
