"""A results repository: runs of many models and people, collected, checked and replayed (docs/results.md).

- `layout`: where a run lies in it, and what may lie beside it.
- `adding`: copying a run into it.
- `checking`: everything that can be told without weights and data; `changes`: what differs from an earlier state.
- `replays`: who replayed a run, and the tier that follows.
"""
