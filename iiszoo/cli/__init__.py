"""The `iiszoo` program: one file per verb, no logic. Only verbs that compute import torch or numpy."""
