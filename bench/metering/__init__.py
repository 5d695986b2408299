"""What a cell uses: energy, the CO2 of it, and memory that it has freed."""
