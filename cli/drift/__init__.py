"""What differs between a layer's state and the account, value by value, and who changed it."""
