"""Parts of pathfusion."""
