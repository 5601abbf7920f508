"""The packing policies: how a node is chosen among those that can hold a pod."""

from gpudeck.errors import InputError

# The position is the number that the compiled kernel knows a policy by.
POLICIES: dict[str, str] = {
    "random": "any node that can hold the pod, each with the same probability",
    "least_allocated": "the node with the largest share of CPU, memory and GPU left (Kubernetes)",
    "most_allocated": "the node with the smallest share of CPU, memory and GPU left (Kubernetes)",
    "dotprod": "the node whose free CPU and GPU have the smallest dot product with the request",
    "clustering": "the node that runs pods of the same number of GPUs, fuller nodes first",
    "packing": "a GPU in use before a free GPU of a node in use, before a node that is all free",
    "bestfit": "the node with the least CPU and GPU left after the pod is placed",
    "fgd": "the node and GPU where the pod adds the least fragmentation, as typical pods see it",
}


def policy_number(policy: str) -> int:
    """Find the kernel's number of a policy.

    Raises
    ------
    InputError
        The name is unknown.

    >>> policy_number("fgd")
    7
    """
    if policy not in POLICIES:
        msg = f"policy is {policy!r}; allowed are {', '.join(POLICIES)}"
        raise InputError(msg)
    return list(POLICIES).index(policy)
