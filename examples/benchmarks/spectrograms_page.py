"""A page of synthetic spectrograms: two rows with chirps, two without.

python examples/benchmarks/spectrograms_page.py [--figure docs/images/spectrograms.jpg]
"""

import argparse

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from skbayes.datasets import make_spectrograms


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", default="docs/images/spectrograms.jpg")
    arguments = parser.parse_args()
    spectra = make_spectrograms(400, n_labelled=200, image_shape=(128, 128), random_state=0)
    figure, axes = plt.subplots(4, 7, figsize=(14, 8.4), layout="constrained")
    for number, row in enumerate(axes):
        label = int(number < 2)
        rows = np.flatnonzero(spectra.target == label)
        # one of a shot
        rows = rows[np.unique(spectra.groups[rows], return_index=True)[1]]
        for axis, index in zip(row, rows[number % 2 :: 2], strict=False):
            picture = spectra.data[index].reshape(spectra.image_shape)
            axis.imshow(picture, origin="lower", cmap="magma")
            axis.set(xticks=[], yticks=[], title=f"shot {spectra.groups[index]}")
        row[0].set_ylabel("with chirps" if label else "without")
    figure.supxlabel("6.55 ms to the right, 0.62 MHz upwards")
    # noise does not compress without loss
    figure.savefig(arguments.figure, dpi=50, pil_kwargs={"quality": 75})


if __name__ == "__main__":
    main()
