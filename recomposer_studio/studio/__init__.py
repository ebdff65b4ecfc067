"""The window: draw events, generate takes, compare and export them."""
