"""Whether a run is what it claims to be: `verify.run.verify`.

Its figures are derived again from its traces (`figures`), each trace is compared with the protocol (`traces`), with the
robot (`robot`) and with the data (`data`), the model at hand with the run's (`model`), and some samples are replayed
with it (`replay`).
"""
