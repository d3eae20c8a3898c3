"""The page in a real browser, against the real binary: the acceptance points of the dashboard, bad input, and pictures."""
