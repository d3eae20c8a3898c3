"""Kills of the real binary at random instants and at named fail points."""
