"""Exact facts about an MDP against enumeration and closed forms."""

from __future__ import annotations

from fractions import Fraction

import pytest
from instances import random_instance, to_problem
from oracle import policy_return
from oracle import support as oracle_support

from symsafe import MDP, DataDistribution, InputError, Policy
from symsafe.analysis.occupancy import occupancy, occupancy_distribution, support
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import (
    advantages,
    evaluate,
    expected_return,
    optimal_values,
    regret,
    returns,
    shape,
)

F = Fraction
SEEDS = range(60)


def mean(numbers: tuple[Fraction, ...], weights: tuple[Fraction, ...]) -> Fraction:
    return sum((x * w for x, w in zip(numbers, weights, strict=True)), F(0))


@pytest.fixture
def chain() -> MDP:
    """Two states: stay for nothing or go; the second pays 1 for ever."""
    return MDP.from_tables(
        transitions={"s": {"stay": {"s": 1}, "go": {"t": 1}}, "t": {"stay": {"t": 1}}},
        reward={"s": {"stay": 0, "go": 0}, "t": {"stay": 1}},
        initial="s",
        discount="1/2",
    )


def test_closed_forms(chain: MDP) -> None:
    """Going is worth 1, staying 0, half and half a third."""
    go = Policy.deterministic(chain, {"s": "go", "t": "stay"})
    assert evaluate(chain, go) == (F(1), F(2))
    assert occupancy(chain, go) == (F(0), F(1), F(1))
    assert expected_return(chain, Policy.uniform(chain)) == F(2, 3)
    assert regret(chain, Policy.uniform(chain)) == F(1, 3)
    facts = returns(chain)
    assert (facts.maximum, facts.minimum) == (1, 0)
    assert facts.optimal == go
    assert advantages(chain, facts.optimal_values) == (F(-1, 2), F(0), F(0))


def test_returns_are_the_extremes_of_enumeration() -> None:
    """Exact policy iteration finds the greatest and the least return of all policies."""
    for seed in SEEDS:
        instance = random_instance(seed)
        mdp = to_problem(instance).mdp
        every = [policy_return(instance, policy) for policy in instance.policies()]
        facts = returns(mdp)
        assert (facts.maximum, facts.minimum) == (max(every), min(every)), seed
        assert expected_return(mdp, facts.optimal) == max(every)
        assert expected_return(mdp, facts.worst) == min(every)


def test_restricted_actions_restrict_the_policies() -> None:
    """With `allowed`, the optimum is that of the policies within."""
    for seed in SEEDS:
        instance = random_instance(seed)
        mdp = to_problem(instance).mdp
        allowed = [tuple(pairs)[seed % 2 :] or tuple(pairs) for pairs in mdp.pair_ranges]
        within = [
            policy_return(instance, policy)
            for policy in instance.policies()
            if all(pair in pairs for pair, pairs in zip(policy, allowed, strict=True))
        ]
        for best in (True, False):
            values, choices = optimal_values(mdp, maximise=best, allowed=allowed)
            assert mean(values, instance.initial) == (max if best else min)(within), seed
            assert all(pair in pairs for pair, pairs in zip(choices, allowed, strict=True))


def test_occupancy_measures_price_every_reward() -> None:
    """The return is the reward weighted by occupancy; the support is where it is positive."""
    for seed in SEEDS:
        instance = random_instance(seed)
        mdp = to_problem(instance).mdp
        for index, choices in enumerate(deterministic_policies(mdp)):
            policy = Policy.deterministic(mdp, choices)
            visits = occupancy(mdp, policy)
            assert mean(visits, instance.rewards) == expected_return(mdp, policy)
            assert sum(visits) == 1 / (1 - instance.discount)
            assert support(mdp, policy) == {pair for pair, x in enumerate(visits) if x}
            taken = instance.policies()[index]
            assert support(mdp, policy) == oracle_support(instance, taken)
        uniform = occupancy_distribution(Policy.uniform(mdp))
        assert isinstance(uniform, DataDistribution)
        assert sum(uniform.weights) == 1


def test_potential_shaping_moves_all_returns_alike() -> None:
    """Shaping by V lowers every return by the mean of V in the initial state."""
    for seed in SEEDS:
        instance = random_instance(seed)
        mdp = to_problem(instance).mdp
        potential = tuple(F(seed + 3 * s, 7) for s in range(len(mdp.states)))
        shaped = shape(mdp, potential)
        for choices in deterministic_policies(mdp):
            policy = Policy.deterministic(mdp, choices)
            before, after = (expected_return(mdp, policy, r) for r in (None, shaped))
            assert before - after == mean(potential, instance.initial)


def test_enumeration_is_lazy_and_counted() -> None:
    """A huge number of policies is counted, and the first ones come at once."""
    mdp = MDP.bandit({f"s{i}": {"a": i, "b": 0, "c": 1} for i in range(100)})
    assert count_deterministic_policies(mdp) == 3**100
    assert next(deterministic_policies(mdp)) == (0,) * 100


def test_constant_returns_are_refused() -> None:
    """Regret is undefined when the reward, or the return, is constant."""
    for rewards in ({"s": {"a": 1, "b": 1}}, {"s": {"a": 1, "b": 1}, "t": {"a": 2}}):
        with pytest.raises(InputError) as caught:
            returns(MDP.bandit(rewards))
        assert caught.value.field == "reward"
