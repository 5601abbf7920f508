"""Hierarchical DRF: queues in a tree, each level fair, no branch held back by a full resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import (
    TOLERANCE,
    Amounts,
    check_amount,
    check_demand,
)

_DIGITS = 12
_TASKS_AT_MOST = 200_000
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z0-9_.-]+)\s*(?::\s*(?P<weight>[0-9.]+))?|(?P<mark>[{},]))"
)


@dataclass(frozen=True, slots=True)
class Branch:
    """A queue in a tree: a leaf holds tasks, any other shares among its children by weight."""

    name: str
    weight: float = 1.0
    children: tuple[Branch, ...] = ()

    def leaves(self) -> tuple[Branch, ...]:
        """Return the leaves from left to right, itself if it has no children."""
        return tuple(leaf for c in self.children for leaf in c.leaves()) or (self,)


def read_tree(text: str) -> Branch:
    """Read a tree of queues from text.

    Raises
    ------
    InputError
        Braces that do not match, a name missing, or a name that repeats.

    >>> tree = read_tree("root{sci:50, eng:50{dev:50,prod:50}}")
    >>> [leaf.name for leaf in tree.leaves()], tree.children[1].weight
    (['sci', 'dev', 'prod'], 50.0)
    """
    tokens, place = list[re.Match[str]](), 0
    stripped = text.strip()
    while place < len(stripped):
        token = _TOKEN.match(stripped, place)
        if token is None:
            msg = f"tree {text!r}: {stripped[place:]!r} is unreadable; allowed is name:weight{{…}}"
            raise InputError(msg)
        tokens.append(token)
        place = token.end()
    tree, rest = _read_branch(tokens, text)
    if rest:
        msg = f"tree {text!r}: {rest[0][0]!r} follows its end; allowed is one root"
        raise InputError(msg)
    return tree


def _read_branch(tokens: list[re.Match[str]], text: str) -> tuple[Branch, list[re.Match[str]]]:
    if not tokens or tokens[0]["name"] is None:
        msg = f"tree {text!r}: a name is missing; allowed is name:weight{{…}}"
        raise InputError(msg)
    name, weight = tokens[0]["name"], float(tokens[0]["weight"] or 1)
    rest, children = tokens[1:], list[Branch]()
    if rest and rest[0]["mark"] == "{":
        mark = "{"
        while mark != "}":
            child, rest = _read_branch(rest[1:], text)
            children.append(child)
            mark = rest[0]["mark"] if rest else ""
            if mark not in (",", "}"):
                msg = f"tree {text!r}: {name!r} is not closed; allowed is a brace for each brace"
                raise InputError(msg)
        rest = rest[1:]
    return Branch(name, weight, tuple(children)), rest


@dataclass(slots=True)
class _State:
    """What a branch holds as its parent sees it, and whether it can take no more."""

    held: dict[str, float] = field(default_factory=dict)
    share: float = 0.0
    blocked: bool = False


def allocate_tree(
    capacity: Amounts, tree: Branch, demand: Mapping[str, Amounts]
) -> dict[str, dict[str, float]]:
    """Give tasks one at a time, from the root down to the child of the lowest share over weight.

    A branch's share counts its children scaled to the smallest of their shares, so that one child
    that is ahead does not hold its sisters back; a child that can take no more is not scaled and
    does not count for the smallest, so that a full resource blocks nobody who can do without it.

    Parameters
    ----------
    capacity
        What there is of each resource.
    tree
        The queues.
    demand
        What one task of each leaf asks; a leaf that asks for nothing gets nothing.

    Returns
    -------
    dict
        What each leaf holds in the end.

    Raises
    ------
    InputError
        Names that repeat or do not match the leaves, a negative amount or weight, NaN.

    Source: Bhattacharya et al., SoCC 2013, Section 4 (naive H-DRF, rescaling, blocked nodes).

    >>> held = allocate_tree({"cpu": 10, "mem": 10}, read_tree("r{sci, eng{dev,prod}}"),
    ...     {"sci": {"cpu": 1, "mem": 1}, "dev": {"cpu": 1}, "prod": {"mem": 1}})
    >>> held["sci"]["cpu"], held["dev"]["cpu"], held["prod"]["mem"]
    (5.0, 5.0, 5.0)
    """
    check_demand(capacity, demand)
    _check_tree(tree, demand)
    left = {name: float(amount) for name, amount in capacity.items()}
    states: dict[str, _State] = {}
    held = {leaf.name: dict.fromkeys(capacity, 0.0) for leaf in tree.leaves()}
    for _ in range(_TASKS_AT_MOST):
        _weigh(tree, states, held, capacity, left, demand)
        if states[tree.name].blocked:
            return {name: {r: held[name][r] for r in demand[name]} for name in demand}
        branch = tree
        while branch.children:
            branch = min(
                (child for child in branch.children if not states[child.name].blocked),
                key=lambda child: round(states[child.name].share / child.weight, _DIGITS),
            )
        for resource, amount in demand[branch.name].items():
            held[branch.name][resource] += amount
            left[resource] -= amount
    msg = f"capacity holds more than {_TASKS_AT_MOST} tasks; allowed are larger tasks"
    raise InputError(msg)


def _weigh(
    branch: Branch,
    states: dict[str, _State],
    held: Mapping[str, dict[str, float]],
    capacity: Amounts,
    left: Amounts,
    demand: Mapping[str, Amounts],
) -> _State:
    """Compute a branch's holdings, share and block from its leaves up."""
    state = states[branch.name] = _State()
    if not branch.children:
        asked = demand[branch.name]
        state.held = held[branch.name]
        state.blocked = branch.weight == 0 or not any(asked.values())
        state.blocked |= any(a > left[r] + TOLERANCE * capacity[r] for r, a in asked.items())
    else:
        below = [
            (child, _weigh(child, states, held, capacity, left, demand))
            for child in branch.children
        ]
        # a parent of weight 0 is never served, whatever its children ask
        state.blocked = branch.weight == 0 or all(child.blocked for _, child in below)
        going = [child.share for _, child in below if not child.blocked and child.share > 0]
        least = min(going, default=1.0)
        for _, child in below:
            scale = 1.0 if child.blocked or child.share == 0 else least / child.share
            for resource, amount in child.held.items():
                state.held[resource] = state.held.get(resource, 0.0) + amount * scale
    state.share = max((a / capacity[r] for r, a in state.held.items() if a > 0), default=0.0)
    return state


def _check_tree(tree: Branch, demand: Mapping[str, Amounts]) -> None:
    names, queue = list[str](), [tree]
    while queue:
        branch = queue.pop()
        check_amount(f"weight of {branch.name!r}", branch.weight)
        names.append(branch.name)
        queue.extend(branch.children)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"the tree has {twice!r} twice; allowed are distinct names"
        raise InputError(msg)
    leaves = {leaf.name for leaf in tree.leaves()}
    if wrong := sorted(leaves ^ set(demand)):
        msg = (
            f"demand names {sorted(demand)}; allowed are the leaves {sorted(leaves)}: {wrong[0]!r}"
        )
        raise InputError(msg)
