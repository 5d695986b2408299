"""RKDEA's teacher, its student, and what passes from one to the other."""
