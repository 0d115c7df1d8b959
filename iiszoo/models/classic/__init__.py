"""Weight-free models, the id family `classic`: `geocut` (the family's default), `grabcut` and `random_walker`."""
