"""The page beside the usual way to build one: `make bench-web`."""
