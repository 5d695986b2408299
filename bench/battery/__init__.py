"""What every method must do, as checks that ship with the package."""
