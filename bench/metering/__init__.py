"""What a cell uses besides time and memory: energy, and the CO2 of it."""
