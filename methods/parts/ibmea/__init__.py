"""Parts of ibmea."""
