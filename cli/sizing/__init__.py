"""`platformctl size`: where a model's configuration comes from, and what is told of its memory."""
