"""Stacked networks equal the separate networks that they hold."""

import copy

import pytest
import torch
from torch import nn

from skbayes.nn import (
    ACTIVATIONS,
    StackedLinear,
    StackedMLP,
    StackedModule,
    UnstackableModuleError,
)
from skbayes.nn._stack import check_stack

TORCH_ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
WIDTHS = (3, 7, 5, 2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def separate(stack, activation):
    """One torch.nn.Sequential a member, with the stack's slices as its state_dict."""
    networks = []
    for member in range(stack.layers[0].weight.shape[0]):
        layers = []
        for stacked in stack.layers:
            _, width_out, width_in = stacked.weight.shape
            linear = nn.Linear(width_in, width_out, dtype=torch.float64)
            slices = {name: values[member] for name, values in stacked.state_dict().items()}
            linear.load_state_dict(slices)
            layers += [linear, TORCH_ACTIVATIONS[activation]()]
        networks.append(nn.Sequential(*layers[:-1]))
    return networks


def assert_same_values_and_gradients(stack, networks, stacked_parameters):
    """On rows that all share and on rows of each member's own."""
    n_members = len(networks)
    for rows in (normal(11, 3), normal(n_members, 11, 3)):
        stack.zero_grad()
        output = stack(rows)
        target = normal(*output.shape, seed=1)
        (output * target).sum().backward()
        for member, network in enumerate(networks):
            network.zero_grad()
            own = network(rows if rows.ndim == 2 else rows[member])
            (own * target[member]).sum().backward()
            torch.testing.assert_close(output[member], own, rtol=1e-12, atol=1e-13)
            for stacked, parameter in zip(stacked_parameters, network.parameters(), strict=True):
                torch.testing.assert_close(
                    stacked.grad[member], parameter.grad, rtol=1e-11, atol=1e-12
                )


def test_every_activation_is_tested():
    assert set(ACTIVATIONS) == set(TORCH_ACTIVATIONS)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("activation", TORCH_ACTIVATIONS)
def test_stacked_mlp_is_separate_networks(activation, n_members):
    stack = StackedMLP(
        3, (7, 5), 2, n_members, activation=activation, generator=generator(), dtype=torch.float64
    )
    networks = separate(stack, activation)
    assert_same_values_and_gradients(stack, networks, list(stack.parameters()))


@pytest.mark.parametrize("n_members", [1, 3])
def test_no_hidden_layer_is_a_linear_map(n_members):
    stack = StackedMLP(3, (), 2, n_members, generator=generator(), dtype=torch.float64)
    rows = normal(5, 3)
    layer = stack.layers[0]
    expected = torch.einsum("moi,ri->mro", layer.weight, rows) + layer.bias.unsqueeze(1)
    torch.testing.assert_close(stack(rows), expected, rtol=1e-12, atol=1e-13)
    assert_same_values_and_gradients(stack, separate(stack, "relu"), list(stack.parameters()))


def test_input_is_left_as_it_was():
    rows = normal(4, 3)
    before = rows.clone()
    for activation in ACTIVATIONS:
        for n_members in (1, 2):
            for hidden in ((), (3,)):
                stack = StackedMLP(
                    3, hidden, 3, n_members, activation=activation, dtype=torch.float64
                )
                stack(rows)
                stack(rows.expand(n_members, 4, 3))
    assert torch.equal(rows, before)


def test_initial_weights_are_torchs_and_one_seed_is_one_network_in_every_dtype():
    layer = StackedLinear(16, 50, 40, generator=generator(), dtype=torch.float64)
    # uniform within 1 / 4: standard deviation .25 / sqrt 3; the relative standard error of the
    # standard deviation of n uniform numbers is sqrt(.2 / n): .25 % and 1 %; 4.5 of them
    for values, rtol in [(layer.weight, 0.012), (layer.bias, 0.045)]:
        assert float(values.detach().abs().max()) <= 0.25
        assert float(values.detach().std()) == pytest.approx(0.25 / 3**0.5, rel=rtol)
    # members are independent: 780 correlations of standard error 1 / sqrt(800)
    correlation = torch.corrcoef(layer.weight.detach().flatten(1))
    assert float(correlation.fill_diagonal_(0).abs().max()) < 4.5 / 800**0.5
    single = StackedLinear(16, 50, 40, generator=generator(), dtype=torch.float32)
    torch.testing.assert_close(single.weight, layer.weight.float(), rtol=0, atol=0)


def conv_net(n_features=3, n_outputs=2):
    return nn.Sequential(
        nn.Unflatten(1, (1, n_features)),
        nn.Conv1d(1, 4, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * (n_features - 1), n_outputs),
    )


def norm_net(n_features=3, n_outputs=2):
    return nn.Sequential(
        nn.Linear(n_features, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, n_outputs)
    )


class OwnParameters(nn.Module):
    """Parameters and a buffer at the top level, one submodule, one frozen name clash."""

    def __init__(self, n_features=3, n_outputs=2):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(n_features))
        self.register_buffer("shift", torch.randn(n_features))
        self.inner = nn.ModuleDict({"linear": nn.Linear(n_features, n_outputs)})

    def forward(self, rows):
        return self.inner["linear"](rows * self.scale + self.shift)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("factory", [conv_net, norm_net, OwnParameters])
def test_stacked_module_is_separate_modules(factory, n_members):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = [factory().double() for _ in range(n_members)]
    stack = StackedModule(copy.deepcopy(networks))
    named = dict(stack.named_parameters())
    assert list(named) == [name for name, _ in networks[0].named_parameters()]
    assert_same_values_and_gradients(stack, networks, list(named.values()))
    # a member's slices are a state_dict of the architecture, buffers included
    for member, network in enumerate(networks):
        slices = {name: values[member] for name, values in stack.state_dict().items()}
        fresh = factory().double()
        fresh.load_state_dict(slices)
        torch.testing.assert_close(fresh(normal(5, 3)), network(normal(5, 3)))


def test_stacked_modules_do_not_share_memory_with_what_they_were_made_of():
    networks = [norm_net() for _ in range(2)]
    stack = StackedModule(networks)
    before = networks[0][0].weight.detach().clone()
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.zero_()
    assert torch.equal(networks[0][0].weight, before)


def test_dropout_is_on_in_training_and_off_in_evaluation():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Dropout(0.25), nn.Linear(400, 1, bias=False))
        nn.init.constant_(network[1].weight, 1.0)
        stack = StackedModule([network, copy.deepcopy(network)])
        rows = torch.ones(50, 400)
        trained = stack(rows).squeeze(-1)  # (members, rows): sums of kept ones over .75
    kept = trained * 0.75 / 400
    # 20 000 Bernoulli numbers a member: standard error .003; 4.5 of them
    torch.testing.assert_close(kept.mean(1), torch.full((2,), 0.75), rtol=0, atol=0.014)
    # masks are drawn for every member and row anew
    assert not torch.equal(trained[0], trained[1])
    assert len(trained.unique()) > 20
    stack.eval()
    torch.testing.assert_close(stack(rows), torch.full((2, 50, 1), 400.0))
    torch.testing.assert_close(stack.train().eval()(rows), torch.full((2, 50, 1), 400.0))


def tied(width):
    network = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))
    network[2].weight = network[0].weight
    return network


def test_a_frozen_parameter_stays_frozen():
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    network[0].requires_grad_(False)
    stack = StackedModule([network, copy.deepcopy(network)])
    trainable = [name for name, p in stack.named_parameters() if p.requires_grad]
    assert trainable == ["2.weight", "2.bias"]


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer(3, 4, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, rows):
        return self.out(self.layer(rows.unsqueeze(1))[0][:, -1])


@pytest.mark.parametrize(
    ("factory", "why", "instead"),
    [
        (
            lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)),
            r"layer '1' is a BatchNorm1d, which writes running statistics",
            "GroupNorm or LayerNorm",
        ),
        (
            lambda: nn.Sequential(nn.Unflatten(1, (1, 3)), nn.SyncBatchNorm(1), nn.Flatten()),
            r"layer '1' is a SyncBatchNorm, which writes running statistics",
            "GroupNorm or LayerNorm",
        ),
        (lambda: Recurrent(nn.LSTM), r"layer 'layer' is a LSTM", "convolutions, attention"),
        (lambda: Recurrent(nn.GRU), r"layer 'layer' is a GRU", "convolutions, attention"),
        (lambda: Recurrent(nn.RNN), r"layer 'layer' is a RNN", "convolutions, attention"),
        (
            lambda: nn.Sequential(nn.LazyLinear(2)),
            r"layer '0' is a LazyLinear, whose weights do not exist before the first call",
            "width that the factory is given",
        ),
        (nn.Flatten, "no trainable parameters", "nothing to learn"),
        (lambda: nn.Linear(3, 2).requires_grad_(False), "no trainable", "nothing to learn"),
        (lambda: tied(3), "'0.weight' and '2.weight' are one tensor", "use it twice in forward"),
        (lambda: nn.Sequential(*[nn.Linear(3, 3)] * 2), "'0.weight' and '1.weight'", "one name"),
    ],
)
def test_what_cannot_be_stacked_says_why_and_what_to_use(factory, why, instead):
    with pytest.raises(UnstackableModuleError, match=why) as caught:
        StackedModule([factory(), factory()])
    assert instead in str(caught.value)
    assert str(caught.value).startswith("module: ")
    assert isinstance(caught.value, ValueError)


class BranchesOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, rows):
        output = self.linear(rows)
        return output if output.sum() > 0 else -output  # vmap refuses: one branch for all members


def test_what_vmap_refuses_is_told_with_vmaps_reason():
    stack = StackedModule([BranchesOnData(), BranchesOnData()])
    with pytest.raises(
        UnstackableModuleError, match=r"torch\.func\.vmap.*data-dependent"
    ) as caught:
        check_stack(stack, 3, 2, torch.float32)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("network", "got"),
    [
        (lambda: nn.Linear(3, 5), r"\(2, 5\)"),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.Flatten(0)), r"\(4,\)"),
        (lambda: nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Linear(3, 2)), r"\(2, 1, 2\)"),
    ],
)
def test_wrong_output_shape(network, got):
    stack = StackedModule([network(), network()])
    with pytest.raises(
        ValueError, match=r"module: for 2 rows of 3 features .* \(2, 2\), got " + got
    ):
        check_stack(stack, 3, 2, torch.float32)


def test_wrong_input_width():
    stack = StackedModule([nn.Linear(4, 2)])
    with pytest.raises(UnstackableModuleError, match="module: it does not run on 3 features"):
        check_stack(stack, 3, 2, torch.float32)


def test_check_stack_accepts_what_fits():
    stack = StackedModule([conv_net(), conv_net()])
    check_stack(stack, 3, 2, torch.float32)
    assert stack.training
