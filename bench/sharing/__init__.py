"""Several runners on one results folder: who lives, and who has which cell."""
