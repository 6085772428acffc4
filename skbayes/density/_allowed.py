"""Which prior, likelihood and score go with which training criterion."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from skbayes.density._objective import AUTO_BETA, SAMPLES_ONLY, STOCHASTIC
from skbayes.density._scores import DENSITIES, SCORES

#: Priors with a name, besides a user's function that draws from one.
PRIORS = {
    "normal": "standard normal",
    "ard": "normal with learned variances",
    "mixture": "learned mixture of Gaussians",
    "corners": "narrow Gaussians at random corners of a cube",
    "vamp": "what the encoder makes of learned pseudo-rows",
}
#: Priors that learn: the criterion has to weigh what they say of a code.
_LEARNED = frozenset({"ard", "mixture", "vamp"})

#: Score -> why a criterion, prior or likelihood has it not, by a test of the three.
_Test = Callable[[str, Any, str], bool]


def _deterministic(criterion: str, prior: Any, likelihood: str) -> bool:
    return criterion not in STOCHASTIC


def _no_prior_density(criterion: str, prior: Any, likelihood: str) -> bool:
    return criterion == "mse" or callable(prior)


def _not_gaussian(criterion: str, prior: Any, likelihood: str) -> bool:
    return likelihood != "gaussian"


_REASONS: Mapping[_Test, str] = {
    _deterministic: "criterion={criterion!r} has a deterministic encoder, which draws no codes",
    _no_prior_density: "criterion={criterion!r} with prior={prior} has no prior density",
    _not_gaussian: "likelihood={likelihood!r} has no change of variables",
}
_NEEDS: Mapping[str, tuple[_Test, ...]] = {
    "elbo": (_deterministic, _no_prior_density),
    "iwae": (_deterministic, _no_prior_density),
    "aggregate": (_deterministic,),
    "reconstruction_sampled": (_deterministic,),
    "latent": (_no_prior_density,),
    "jacobian": (_no_prior_density, _not_gaussian),
}


def check_combination(criterion: str, prior: Any, likelihood: str) -> None:
    """Check that a criterion can be trained with a prior and a likelihood.

    Parameters
    ----------
    criterion : str
    prior : str or callable
    likelihood : str

    Raises
    ------
    ValueError
        If it cannot; the message says which can.
    """
    name = "a callable" if callable(prior) else repr(prior)
    allowed: Collection[str] = AUTO_BETA
    if callable(prior):
        allowed = SAMPLES_ONLY
    elif prior in _LEARNED:
        allowed = STOCHASTIC
    elif prior == "corners":
        allowed = set(AUTO_BETA) - {"mse"}
    if criterion not in allowed:
        raise ValueError(
            f"prior={name} does not go with criterion={criterion!r}, only with {sorted(allowed)}"
        )
    if criterion == "vae-gan" and likelihood == "student_t":
        raise ValueError(
            "likelihood='student_t' does not go with criterion='vae-gan', which compares means"
        )


def why_not(score: str, criterion: str, prior: Any, likelihood: str) -> str | None:
    """Why a model has not a certain score.

    Parameters
    ----------
    score : str
        A key of ``SCORES``.
    criterion : str
    prior : str or callable
    likelihood : str

    Returns
    -------
    str or None
        None if it has it.
    """
    for test in _NEEDS.get(score, ()):
        if test(criterion, prior, likelihood):
            name = "a callable" if callable(prior) else repr(prior)
            return _REASONS[test].format(criterion=criterion, prior=name, likelihood=likelihood)
    return None


def allowed_scores(criterion: str, prior: Any = "normal", likelihood: str = "gaussian") -> set[str]:
    """Scores that a model has.

    Parameters
    ----------
    criterion : str
    prior : str or callable, default="normal"
    likelihood : str, default="gaussian"

    Returns
    -------
    set of str
    """
    return {name for name in SCORES if why_not(name, criterion, prior, likelihood) is None}


def resolve_score(
    score_method: str, auto: str, criterion: str, prior: Any, likelihood: str
) -> tuple[str, ...]:
    """Turn the parameter ``score_method`` into the scores that are added.

    Parameters
    ----------
    score_method : str
        Names joined by ``+``, or ``"auto"``.
    auto : str
        What that means.
    criterion : str
    prior : str or callable
    likelihood : str

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If a name is unknown, or the model has not that score.
    """
    terms = tuple((auto if score_method == "auto" else score_method).split("+"))
    for term in terms:
        if term not in SCORES:
            raise ValueError(
                f"score_method={score_method!r}: {term!r} is not a score; use 'auto', one of "
                f"{sorted(SCORES)} or several joined by '+'"
            )
        reason = why_not(term, criterion, prior, likelihood)
        if reason is not None:
            raise ValueError(
                f"score_method={score_method!r} cannot be had: {reason}. Scores that can: "
                f"{sorted(allowed_scores(criterion, prior, likelihood))}"
            )
    return terms


def is_density(terms: tuple[str, ...]) -> bool:
    """Whether a score is a log-density.

    Parameters
    ----------
    terms : tuple of str

    Returns
    -------
    bool
    """
    return len(terms) == 1 and terms[0] in DENSITIES
