"""The oracle and the black-box tests, in plain Python."""
