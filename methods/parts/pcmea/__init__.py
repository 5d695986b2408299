"""Parts of pcmea."""
