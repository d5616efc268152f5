"""MDPs as graphs of networkx, both ways: a node is a state, an edge a transition of an action."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from symsafe.errors import InputError
from symsafe.exact import Number, exact
from symsafe.importers.rounding import Rounding, read_row, rounded
from symsafe.model import MDP, DataDistribution
from symsafe.model.mdp import require_mdp
from symsafe.model.tables import path, require_instance

__all__ = ["from_networkx", "to_networkx"]

_ATTRIBUTES = ("action", "probability", "reward")


def from_networkx(
    graph: Any,
    *,
    discount: object = None,
    initial: object = None,
    rounding: Rounding | str | None = None,
) -> MDP:
    """Return the exact MDP of a directed multigraph.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        Nodes are states, in order; a node is named by ``str(node)``. Each edge has the attributes
        ``action``, ``probability`` and ``reward``; the edges of one action of a node are its
        outcomes. The attribute ``actions`` of a node gives their order; else that of the edges.
    discount : number, optional
        In [0, 1); by default the attribute ``discount`` of the graph.
    initial : node or mapping from nodes to probabilities, optional
        By default the attribute ``initial`` of the nodes, a probability (0 if missing).
    rounding : Rounding or str, optional
        What floats mean (see `Rounding`); without it they are refused.

    Raises
    ------
    InputError
        For another kind of graph, a missing attribute, two edges for one transition, a row that
        does not sum to exactly 1, a node without outgoing edges.

    Notes
    -----
    R(s, a) is the expected reward of the outcomes, as in `from_numpy`; the range of R is that of
    these expectations.

    Examples
    --------
    >>> import networkx as nx
    >>> graph = nx.MultiDiGraph(discount="1/2")
    >>> graph.add_node("s", initial=1)
    >>> _ = graph.add_edge("s", "s", action="stay", probability=1, reward=0)
    >>> _ = graph.add_edge("s", "t", action="go", probability=1, reward=2)
    >>> _ = graph.add_edge("t", "t", action="stay", probability=1, reward=1)
    >>> from_networkx(graph)
    MDP(2 states, 3 state-action pairs, discount 1/2)
    """
    import networkx as nx  # takes a while to load

    if not (isinstance(graph, nx.Graph) and graph.is_directed() and graph.is_multigraph()):
        raise InputError("graph", type(graph).__name__, "a networkx.MultiDiGraph")
    rule = Rounding.read(rounding)
    nodes = {node: index for index, node in enumerate(graph)}
    names = [str(node) for node in graph]
    actions, successors, rewards = [], [], []
    for node, name in zip(graph, names, strict=True):
        outcomes = _outcomes(graph, node, name)
        actions.append(tuple(outcomes))
        for action, edges in outcomes.items():
            field = path("transitions", name, action)
            row = read_row([p for _, p, _ in edges], field, rule)
            found = {nodes[t]: p for (t, _, _), p in zip(edges, row, strict=True)}
            if len(found) != len(edges):
                raise InputError(field, "two edges to one state", "one edge for each outcome")
            successors.append(tuple(found.items()))
            gains = [rounded(r, path("reward", name, action), rule) for _, _, r in edges]
            rewards.append(sum((p * r for p, r in zip(row, gains, strict=True)), Fraction(0)))
    if discount is None:
        discount = graph.graph.get("discount")
    return MDP(
        states=tuple(names),
        actions=tuple(actions),
        successors=tuple(successors),
        rewards=tuple(rewards),
        initial=_initial(graph, nodes, initial, rule),
        discount=exact(discount, "discount"),
    )


def to_networkx(mdp: MDP, data: DataDistribution | None = None) -> Any:
    """Return the MDP as a ``networkx.MultiDiGraph`` of exact numbers, which `from_networkx` reads.

    Parameters
    ----------
    mdp : MDP
        Without open parameters.
    data : DataDistribution, optional
        Its weight becomes the attribute ``data`` of the edges of the pair.

    Returns
    -------
    networkx.MultiDiGraph
        Every edge of a pair has the attributes ``action``, ``probability`` and ``reward``, the
        expected reward R(s, a); nodes have ``initial`` and ``actions``, the graph has ``discount``.
        Numbers are `Fraction`; drawing and flow algorithms may want ``float`` of them.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> sorted(to_networkx(mdp).edges(keys=True))
    [('s', 's', 'a'), ('s', 's', 'b')]
    """
    require_mdp(mdp)
    if data is not None:
        require_instance(data, DataDistribution, "data", "a DataDistribution")
    if not mdp.is_ground:
        raise InputError("parameters", "open parameters", "values for them, by `at`")
    import networkx as nx

    graph = nx.MultiDiGraph(discount=mdp.discount)
    for state, probability, names in zip(mdp.states, mdp.initial, mdp.actions, strict=True):
        graph.add_node(state, initial=probability, actions=names)
    for pair, (state, action) in enumerate(mdp.pairs):
        shared: dict[str, Number] = {"reward": mdp.rewards[pair]}
        if data is not None:
            shared["data"] = data.weights[pair]
        for successor, probability in mdp.successors[pair]:
            target = mdp.states[successor]
            graph.add_edge(
                state, target, key=action, action=action, probability=probability, **shared
            )
    return graph


def _outcomes(graph: Any, node: object, name: str) -> dict[str, list[tuple[object, Any, Any]]]:
    """Return for each action of a node its edges: target, probability, reward."""
    found: dict[str, list[tuple[object, Any, Any]]] = {}
    for _, target, attributes in graph.out_edges(node, data=True):
        for needed in _ATTRIBUTES:
            if needed not in attributes:
                place = path("graph", name, str(target))
                raise InputError(place, f"no attribute {needed}", f"{', '.join(_ATTRIBUTES)}")
        edge = (target, attributes["probability"], attributes["reward"])
        found.setdefault(str(attributes["action"]), []).append(edge)
    if not found:
        raise InputError(path("graph", name), "no outgoing edge", "at least one action")
    listed = graph.nodes[node].get("actions", found)
    try:
        order = [str(action) for action in listed]
    except TypeError:
        order = []
    if sorted(order) != sorted(found):
        raise InputError(path("graph", name, "actions"), listed, f"the actions {list(found)}")
    return {action: found[action] for action in order}


def _initial(
    graph: Any, nodes: dict[Any, int], given: Any, rule: Rounding | None
) -> tuple[Fraction, ...]:
    if given is None:
        given = {node: p for node, p in graph.nodes(data="initial") if p is not None}
    elif not isinstance(given, Mapping):
        try:
            given = {given: 1}
        except TypeError:
            raise InputError("initial", given, "nodes of the graph") from None
    weights: list[object] = [0] * len(nodes)
    for node, probability in given.items():
        if node not in nodes:
            raise InputError("initial", node, "nodes of the graph")
        weights[nodes[node]] = probability
    if not given:
        raise InputError("initial", "nothing", "a node, or the attribute initial of the nodes")
    return read_row(weights, "initial", rule)
