"""What tests of models need: weights that are made, not trained."""
