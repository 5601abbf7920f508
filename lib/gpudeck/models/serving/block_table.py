"""Block tables: which physical block holds which logical block of each sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError


@dataclass(frozen=True, slots=True)
class BlockTables:
    """The state of a paged KV memory.

    `tables[i][j]` is the physical block of sequence i's logical block j, `lengths[i]` its tokens,
    `references[b]` how many sequences use block b, and `filled[b]` the tokens in it.
    """

    block_size: int
    tables: tuple[tuple[int, ...], ...]
    lengths: tuple[int, ...]
    references: tuple[int, ...]
    filled: tuple[int, ...]

    @property
    def waste_tokens(self) -> int:
        """Tokens of memory in blocks that are taken but not full."""
        taken = zip(self.references, self.filled, strict=True)
        return sum(self.block_size - filled for used, filled in taken if used)

    @property
    def shared_blocks(self) -> int:
        """Blocks that more than one sequence uses."""
        return sum(used > 1 for used in self.references)


def allocate_blocks(
    prompts: Sequence[Sequence[int]],
    output_tokens: int,
    block_size: int,
    blocks: int,
    *,
    prefix_cache: bool = True,
) -> BlockTables:
    """Give sequences their blocks: all prompts first, then one token each in turn.

    The lowest free block is taken. With a prefix cache a full block of a prompt whose tokens, from
    the prompt's start to the block's end, are in memory already is shared instead of computed.

    Parameters
    ----------
    prompts
        The tokens of each prompt, one or more.
    output_tokens
        Tokens that each sequence then takes, 0 or above.
    block_size, blocks
        Tokens of a block, and blocks of the memory.
    prefix_cache
        Whether full blocks are shared.

    Raises
    ------
    InputError
        The memory is too small, a prompt is empty, or a size is out of range.

    Source: Kwon et al., SOSP 2023, sections 4.2 to 4.4.

    >>> allocate_blocks([[1, 2, 3], [1, 2, 9]], 2, 2, 8).tables
    ((0, 1, 3), (0, 2, 4))
    """
    if block_size < 1 or blocks < 1 or output_tokens < 0 or not all(len(p) for p in prompts):
        msg = (
            f"block_size is {block_size}, blocks {blocks}, output_tokens {output_tokens}; allowed"
            " are 1, 1 and 0 or above, and prompts of a token or more"
        )
        raise InputError(msg)
    memory = _Memory(block_size, blocks)
    known: dict[tuple[int, ...], int] = {}
    for prompt in prompts:
        table: list[int] = []
        for begin in range(0, len(prompt), block_size):
            end = begin + block_size
            lead = tuple(prompt[:end])
            whole = prefix_cache and end <= len(prompt)
            if whole and lead in known:
                table.append(known[lead])
                memory.references[known[lead]] += 1
                continue
            block = memory.take(min(block_size, len(prompt) - begin))
            table.append(block)
            if whole:
                known[lead] = block
        memory.tables.append(table)
        memory.lengths.append(len(prompt))
    for _ in range(output_tokens):
        for sequence in range(len(prompts)):
            memory.append_token(sequence)
    return memory.freeze()


class _Memory:
    def __init__(self, block_size: int, blocks: int) -> None:
        self.block_size = block_size
        self.references = [0] * blocks
        self.filled = [0] * blocks
        self.tables: list[list[int]] = []
        self.lengths: list[int] = []

    def take(self, tokens: int) -> int:
        if 0 not in self.references:
            msg = f"all {len(self.references)} blocks are taken; allowed are enough for all tokens"
            raise InputError(msg)
        block = self.references.index(0)
        self.references[block], self.filled[block] = 1, tokens
        return block

    def append_token(self, sequence: int) -> None:
        if self.lengths[sequence] % self.block_size == 0:
            self.tables[sequence].append(self.take(1))
        else:
            self.filled[self.tables[sequence][-1]] += 1
        self.lengths[sequence] += 1

    def freeze(self) -> BlockTables:
        return BlockTables(
            self.block_size,
            tuple(tuple(table) for table in self.tables),
            tuple(self.lengths),
            tuple(self.references),
            tuple(self.filled),
        )


def example_tables(block_size: int = 16) -> BlockTables:
    """Return three sequences, two of which begin with the same two blocks, for a picture.

    >>> tables = example_tables()
    >>> tables.shared_blocks, tables.waste_tokens
    (2, 22)
    """
    system = list(range(2 * block_size))
    prompts = [
        [*system, *range(1000, 1000 + block_size // 2)],
        [*system, *range(2000, 2000 + block_size + block_size // 4)],
        list(range(3000, 3000 + 2 * block_size - 3)),
    ]
    return allocate_blocks(prompts, block_size // 2 + 3, block_size, 12)
