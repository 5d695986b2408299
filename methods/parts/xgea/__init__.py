"""XGEA's attention, in which one modality guides the messages of another."""
