"""Where the sessions of a run are computed: in this process, in processes beside it, or on a Ray cluster.

An executor gets a job (`job.Job`, which can be pickled) and groups of samples, and passes on each trace as its session
ends. The process that called it is the only writer. Traces, apart from their times, do not depend on the executor, nor
on how often one was stopped and another went on.
"""

from iiszoo.engine.executors.executor import Executor
from iiszoo.engine.executors.in_process import InProcess
from iiszoo.engine.executors.job import Job
from iiszoo.engine.executors.processes import Processes

__all__ = ["Executor", "InProcess", "Job", "Processes"]
