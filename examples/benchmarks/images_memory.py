"""Memory that an autoencoder takes on 50 000 spectrograms of 128 x 128 that lie on a disk.

Linux only (it reads /proc/self/status); needs a disk with room for the rows (0.8 GB as bytes)::

    OMP_NUM_THREADS=1 python examples/benchmarks/images_memory.py

The rows are made by another process and mapped. What is printed is the peak of the anonymous memory
above that after the imports, for every call; the file's pages belong to the system's cache and do
not count. ``--stream`` trains by ``partial_fit`` on blocks of the file.
"""

import argparse
import multiprocessing
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from memory import Peak, anonymous_megabytes

from skbayes import VAE, VAEAnomalyDetector
from skbayes.datasets import make_spectrograms

SIDE = 128
BLOCK = 5000


def write(path, n_rows, dtype):
    out = np.memmap(path, dtype, "w+", shape=(n_rows, SIDE * SIDE))
    make_spectrograms(
        n_rows,
        n_labelled=0,
        n_shots=max(1, n_rows // 100),
        image_shape=(SIDE, SIDE),
        dtype=dtype,
        out=out,
        random_state=0,
    )
    out.flush()


def train(model, X, by_stream):
    if not by_stream:
        return model.fit(X)
    for start in range(0, len(X), BLOCK):
        model.partial_fit(X[start : start + BLOCK])
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dtype", choices=["uint8", "float32"], default="uint8")
    parser.add_argument("--models", nargs="*", default=["VAE", "VAEAnomalyDetector"])
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--members", type=int, default=1, help="of the detector")
    parser.add_argument("--flat", action="store_true", help="no convolutions")
    parser.add_argument("--file", default=None, help="where the rows are written, or lie already")
    arguments = parser.parse_args()
    before = anonymous_megabytes()
    print(f"anonymous memory after the imports: {before:.0f} MB")
    image = {} if arguments.flat else {"image_shape": (SIDE, SIDE)}
    makers = {
        "VAE": partial(VAE, n_importance=5),
        "VAEAnomalyDetector": partial(VAEAnomalyDetector, n_members=arguments.members),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(arguments.file or Path(folder) / "rows")
        if not path.exists():
            job = (path, arguments.rows, arguments.dtype)
            writer = multiprocessing.get_context("spawn").Process(target=write, args=job)
            writer.start()
            writer.join()
        X = np.memmap(path, arguments.dtype, "r", shape=(arguments.rows, SIDE * SIDE))
        for name in arguments.models:
            model = makers[name](8, (256,), max_iter=1, random_state=0, **image)
            calls = {
                "fit": lambda model=model: train(model, X, arguments.stream),
                "transform": lambda model=model: model.transform(X),
                "score_samples": lambda model=model: model.score_samples(X),
            }
            for what, call in calls.items():
                start = time.process_time()
                with Peak() as peak:
                    result = call()
                assert what == "fit" or np.isfinite(result).all()
                print(
                    f"{name}.{what}: {peak.value - before:.0f} MB above the imports, "
                    f"{time.process_time() - start:.0f} CPU s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
