"""Memory that a query over a memory-mapped pool of ten million rows takes.

Linux only (it reads /proc/self/status); needs a disk with room for the pool::

    OMP_NUM_THREADS=1 python examples/benchmarks/active_memory.py

A pool of 10^7 x 20 rows in float32 is written block by block, mapped, and queried. What is printed
is the peak of the anonymous memory during the query above that after the imports; the file's pages
belong to the system's cache and do not count.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import Peak, anonymous_megabytes
from sklearn.linear_model import LogisticRegression

from skbayes.active import ActiveLearner


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**7)
    parser.add_argument("--folder", default=None, help="where the pool is written")
    arguments = parser.parse_args()
    before = anonymous_megabytes()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "pool"
        shape = (arguments.rows, 20)
        pool = np.memmap(path, np.float32, "w+", shape=shape)
        for start in range(0, arguments.rows, 10**5):
            stop = min(start + 10**5, arguments.rows)
            pool[start:stop] = rng.standard_normal((stop - start, 20), dtype=np.float32)
        pool.flush()
        del pool
        pool = np.memmap(path, np.float32, "r", shape=shape)
        X = np.array(pool[:1000])
        y = (X[:, :3] @ rng.standard_normal((3, 4))).argmax(axis=1)
        print(f"above the imports before the query: {anonymous_megabytes() - before:.0f} MB")
        for acquisition, batch in (("margin", None), ("entropy", "softrank"), ("random", None)):
            learner = ActiveLearner(
                LogisticRegression(),
                X_training=X,
                y_training=y,
                acquisition=acquisition,
                batch=batch,
                random_state=0,
            )
            start = time.process_time()
            with Peak() as peak:
                indices, _ = learner.query(pool, n_instances=100)
            assert len(set(indices.tolist())) == 100
            print(
                f"{acquisition}, {batch or 'top_k'}: {peak.value - before:.0f} MB above the "
                f"imports, {time.process_time() - start:.1f} CPU s",
                flush=True,
            )


if __name__ == "__main__":
    main()
