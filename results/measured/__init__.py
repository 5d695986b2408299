"""Reference runs at published schedules, as data: ``results/measured/README.md``."""
