"""Names of the blocks of a prompt: equal where all tokens up to the end of the block are."""

from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


def hash_prompt(tokens: ArrayLike, block_size: int) -> NDArray[np.int64]:
    """Hash each full block of a prompt together with all that stands before it.

    h_i = hash(h_{i-1}, tokens of block i): two prompts have the same h_i only if they agree from
    their first token to the end of block i.

    Parameters
    ----------
    tokens
        Ids of the tokens, whole numbers, shape (n,).
    block_size
        Tokens of a block, 1 or above.

    Raises
    ------
    InputError
        The block size is below 1, or the tokens are not a list of whole numbers.

    Source: vLLM, automatic prefix caching.

    >>> first, second = hash_prompt(range(50), 16), hash_prompt([*range(40), 7, 7, 7, 7], 16)
    >>> len(first), (first[:2] == second).all()
    (3, np.True_)
    """
    if isinstance(block_size, bool) or not isinstance(block_size, int) or block_size < 1:
        msg = f"block_size is {block_size}; allowed is a whole number of 1 or above"
        raise InputError(msg)
    ids = np.asarray(list(tokens) if isinstance(tokens, range) else tokens)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        msg = f"tokens has shape {ids.shape} of {ids.dtype}; allowed is a list of whole numbers"
        raise InputError(msg)
    content = ids.astype("<i8")
    count = len(content) // block_size
    hashes = np.empty(count, dtype=np.int64)
    parent = b""
    for block in range(count):
        part = content[block * block_size : (block + 1) * block_size].tobytes()
        parent = blake2b(parent + part, digest_size=8).digest()
        hashes[block] = int.from_bytes(parent, "little", signed=True)
    return hashes
