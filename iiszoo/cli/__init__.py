"""The `iiszoo` program: one file a verb, no logic. Only verbs that compute import torch or numpy."""
