"""What the shipped runs show: fidelity to the printed numbers, and the leaderboard."""
