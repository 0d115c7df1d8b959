"""Published forks of isegm as they are: a card for each model, and how its network is built in the clone.

One module a family, each a plugin of its own. `iiszoo.upstream` clones the repository, imports it and runs its
predictor. Nothing heavy is imported before a model is wanted.
"""
