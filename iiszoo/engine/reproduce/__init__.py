"""Running models again as published, and comparing the figures: `iiszoo results reproduce`.

`figures_to_reproduce` says which figures, `plan` which runs answer them and what they lack, `carry_out` fetches and
runs, `compare` judges.
"""
