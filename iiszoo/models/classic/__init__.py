"""The family `classic`, models without weights: `geocut` (the family's default), `grabcut` and `random-walker`."""
