"""What one method alone needs."""
