"""What a results folder was asked for, and how much of it is there."""
