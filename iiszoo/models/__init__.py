"""Models that need no upstream code: the weight-free `classic` family, and predictor parts that families share."""
