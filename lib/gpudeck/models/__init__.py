"""The models: siblings that never import each other."""
