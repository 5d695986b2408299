"""Verbs on the runs that ship with the program, and the replay of one printed number."""
