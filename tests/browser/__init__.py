"""The pages in a real browser: layout, keyboard, screen readers, print and their look."""
