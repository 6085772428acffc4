"""Parameters and training that the deep ensembles' classifier and regressor share."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from skbayes._engine.adversarial import AdversarialNet
from skbayes._engine.centring import find_centring
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._sklearn import Interval, StrOptions
from skbayes.supervised._anchors import draw_anchors, perturb_targets, start_from_anchors
from skbayes.supervised._epochs import EpochsMixin
from skbayes.supervised._likelihood import Likelihood
from skbayes.supervised._shortfall import warn_of_shortfall


class DeepEnsembleMixin(EpochsMixin):
    """Parameters and training of deep ensembles."""

    _constraints: ClassVar[dict[str, list]] = {
        **EpochsMixin._epoch_constraints,
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "anchored": ["boolean"],
        "adversarial_epsilon": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_members=5,
        max_iter="auto",
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        prior_scale=1.0,
        anchored=False,
        adversarial_epsilon=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
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
        self.n_members = n_members
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.prior_scale = prior_scale
        self.anchored = anchored
        self.adversarial_epsilon = adversarial_epsilon
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.module = module
        self.module_params = module_params
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def _fill(
        self: Any, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        stack = self._build_stack(rows, likelihood, self.n_members, rng)
        anchors, centring = None, find_centring(stack, rows)
        if centring is not None and not self.anchored:
            centring.leave()  # a fresh network bends where the rows are
        if self.anchored:
            anchors = draw_anchors(stack, self.prior_scale, likelihood, rng)
            if not resume:
                start_from_anchors(stack, anchors)
            elif hasattr(self, "_last_anchors"):
                self._carry_over(stack, anchors, self._last_anchors, likelihood)
            perturb_targets(rows, likelihood, self.n_members, rng)
        if resume:
            self._continue_from(stack, self.posterior_, likelihood)
        net_class = StackNet if self.adversarial_epsilon is None else self._adversarial(rows)
        trained = self._train_epochs(
            stack,
            rows,
            likelihood,
            rng,
            self.max_iter,
            anchors=anchors,
            centring=centring,
            net_class=net_class,
        )
        if anchors is not None and self._seeks_the_mode(likelihood):
            warn_of_shortfall(trained["net_"], rows)
        fitted = {**trained, "posterior_": Posterior(trained["net_"].module_)}
        if anchors is not None:
            fitted["_last_anchors"] = anchors
        return fitted

    def _seeks_the_mode(self: Any, likelihood: Likelihood) -> bool:
        """Whether training is to end where the potential is least."""
        weighs_rows = getattr(likelihood.criterion, "beta", 0.0) > 0
        return not (self.early_stopping or self.adversarial_epsilon is not None or weighs_rows)

    def _adversarial(self: Any, rows: Rows) -> type[StackNet]:
        everything = rows.everything().X
        shift = (everything.amax(0) - everything.amin(0)) * self.adversarial_epsilon
        return type("AdversarialNet", (AdversarialNet,), {"shift": shift})
