"""From a request to cells with their keys."""
