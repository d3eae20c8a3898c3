"""The oracle: a naive count written from the interface's text alone. It shares no code with the product."""
