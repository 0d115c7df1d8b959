"""A results repository as static pages: `writing.write`.

- `gathering`: the runs of a repository that pass its check, with their models' cards.
- `lines`: the lines of the leaderboard, of runs and of published figures.
- `model_view`: what the page of one model shows.
"""
