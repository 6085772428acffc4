"""Constant-rate gradient descent: what classifier and regressor share, rate and preconditioner."""

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skbayes._engine.rows import Rows
from skbayes._sklearn import StrOptions
from skbayes.samplers import ConstantSGD, constant_sgd
from skbayes.supervised._langevin import LangevinMixin
from skbayes.supervised._run import DESCENT, MEASURED_AT, Run

#: Largest eigenvalue of rate times preconditioner times Hessian: beyond 2 descent is unstable, and
#: the Ornstein-Uhlenbeck picture asks for small ones.
MAX_CONTRACTION = 0.5
#: Largest number of weights for which a full preconditioner is kept.
MAX_FULL = 2000


class ConstantSGDMixin(LangevinMixin):
    """Parameters, rate and preconditioner of constant-rate gradient descent."""

    temperature = 1.0  # no noise but that of the minibatches, whatever the temperature
    _replacement = True

    _chain_constraints: ClassVar[dict[str, list]] = {
        **{k: v for k, v in LangevinMixin._chain_constraints.items() if k != "temperature"},
        "preconditioner": [StrOptions({"diagonal", "full"}), None],
        "averaging": ["boolean"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_chains=4,
        n_draws=50,
        n_warmup=2000,
        thinning=20,
        step_size="auto",
        preconditioner="diagonal",
        averaging=False,
        batch_size="auto",
        prior_scale=1.0,
        module=None,
        module_params=None,
        skorch_callbacks=None,
        warm_start=False,
        device="auto",
        dtype=None,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_chains = n_chains
        self.n_draws = n_draws
        self.n_warmup = n_warmup
        self.thinning = thinning
        self.step_size = step_size
        self.preconditioner = preconditioner
        self.averaging = averaging
        self.batch_size = batch_size
        self.prior_scale = prior_scale
        self.module = module
        self.module_params = module_params
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def _averaged_steps(self, rows: Rows) -> int:
        # of one pass exactly: over more the means spread less than the posterior
        return max(round(rows.n_data / self._batch_rows(rows)), 1) if self.averaging else 1

    def _optimizer(self, scales: list[float], **options: Any) -> Callable[..., Any]:
        return lambda params, lr: ConstantSGD(params)

    def _batch_rows(self, rows: Rows) -> int:
        if self.batch_size == "auto":
            return min(32, max(int(rows.n_data) // 4, 1))
        return min(self.batch_size, len(rows))

    def _fit_rows(self, X: Any, y: Any, sample_weight: Any, *args: Any, **kwargs: Any) -> Any:
        # rows in an order of their own, so that the same data in another order, or repeated where
        # they have a weight, are drawn in the same minibatches
        direction = np.random.RandomState(0).standard_normal(X.shape[1] + 1)
        order = np.argsort(X @ direction[1:] + direction[0] * y, kind="stable")
        if sample_weight is not None:
            sample_weight = sample_weight[order]
        fit_rows = super()._fit_rows  # type: ignore[misc]
        return fit_rows(X[order], y[order], sample_weight, *args, **kwargs)

    def _automatic_step(self, run: Run, curvature: float, noise: float, safety: float) -> float:
        n_data, batch_size = run.rows.n_data, run.batch_size
        # the curvature is that of the sum, the rate is for the mean
        largest = safety * MAX_CONTRACTION * n_data / max(curvature, 1e-12)
        if self.preconditioner is None:
            covariance = constant_sgd.covariance(run.noise, batch_size)
            rates = constant_sgd.optimal_rate(covariance, n_data, batch_size)
            return min(float(rates.nanmedian()), largest)
        self._set_matrix(run, largest)
        return 1.0

    def _set_matrix(self, run: Run, largest: float) -> None:
        n_data, batch_size = run.rows.n_data, run.batch_size
        covariance = constant_sgd.covariance(run.noise, batch_size)
        best = {"diagonal": constant_sgd.optimal_diagonal, "full": constant_sgd.optimal_full}
        run.sampler.matrix = best[self.preconditioner](covariance, n_data, batch_size, largest)

    def _learned(self, run: Run) -> dict[str, Any]:
        return {"batch_size_": run.batch_size}

    def _alpha(self, run: Run, step_size: float, noise: float) -> float:
        return float("inf")  # all noise is the minibatches'

    def _stiffness(self, run: Run, step_size: float, curvature: float) -> float:
        matrix = run.sampler.matrix
        if matrix is not None and matrix.ndim == 3:
            return 0.0  # its eigenvalues are bounded by the curvature that was measured
        if matrix is not None:
            parameters = run.sampler.parameters
            pieces = matrix.sqrt().split([p[0].numel() for p in parameters], 1)
            run.set_root([r.view(p.shape) for r, p in zip(pieces, parameters, strict=True)])
            curvature = float(np.median(run.measure(run.root).curvatures))
        return step_size * curvature / run.rows.n_data

    def _warm_up(self, run: Run, share: float | None) -> None:
        parameters = run.sampler.parameters
        if share == 0:
            size = sum(p[0].numel() for p in parameters)
            if self.preconditioner == "full" and size > MAX_FULL:
                raise ValueError(
                    f"preconditioner='full' keeps a matrix of the {size} weights squared for every "
                    f"chain; it is allowed up to {MAX_FULL} weights. Use 'diagonal', or a smaller "
                    "network"
                )
            run.noise = constant_sgd.init_noise(parameters, full=self.preconditioner == "full")
            for count in range(N_FIRST):
                run.take_gradient()
                run.noise = constant_sgd.update_noise(
                    run.noise, _gradient(parameters), count / (count + 1.0)
                )
            if self.batch_size != "auto" and 4 * run.batch_size > run.rows.n_data:
                warnings.warn(
                    f"batch_size={self.batch_size} is more than a quarter of the "
                    f"{run.rows.n_data:g} rows: the best rate is beyond what is stable, and the "
                    "draws spread too little. Use a smaller batch_size, or 'auto'",
                    ConvergenceWarning,
                    stacklevel=2,
                )
        else:
            # a long memory in the second half of warm-up, a short one on the way there
            seen = max(run.sampler.n_steps - self.n_warmup // 2, N_FIRST)
            decay = 1.0 - 1.0 / seen
            run.noise = constant_sgd.update_noise(run.noise, _gradient(parameters), decay)
        if share is not None and self.step_size != "auto" and self.preconditioner is not None:
            curvature = max(float(run.measure(None).curvatures.max()), 1e-12)
            safety = MEASURED_AT.get(share, MEASURED_AT[DESCENT])
            self._set_matrix(run, safety * MAX_CONTRACTION * run.rows.n_data / curvature)


#: Minibatches from which the noise is first estimated, and the memory of the estimate at first.
N_FIRST = 64


def _gradient(parameters: list[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
