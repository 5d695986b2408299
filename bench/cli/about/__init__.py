"""What is installed and found here, and what is to be cited."""
