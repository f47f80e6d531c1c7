"""The only room that knows Dagster: assets, checks, jobs, and the `mobility` command."""

import os

# Our matrices are small (80 columns): a second BLAS thread only waits, and costs several times the work itself.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
