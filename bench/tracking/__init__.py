"""Tells others how a run goes: TensorBoard, MLflow, Weights & Biases, or one's own listener."""
