"""The benchmark: sessions of a robot with a model, what they leave behind, and what is computed from it."""
