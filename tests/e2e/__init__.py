"""Black-box tests of the real binary, one scenario a file."""
