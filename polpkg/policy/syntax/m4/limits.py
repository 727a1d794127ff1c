"""How much one expansion may cost.

Packages are untrusted, and m4 is a programming language: without bounds a short fragment can run for ever or fill the
memory.  Every bound is far above what real policy needs; each one ends in a `PolicyError` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one call of `expand`; sizes are in characters.

    `calls`: macro calls whose arguments are being collected at once. `arguments`: of one call; a few `$@,$@` make
    many, and each costs far more than its characters. `depth`: macros expanded within macros, the length of the
    longest macro stack. `expansions`: macro calls altogether. `steps`: names, quotations and delimiters that are
    read, pieces that long expansions are put together from, and their length; sources that are short are allowed fewer,
    `steps_at_least` and `steps_per_character` for each of theirs. `text`: one argument, one definition or one
    expansion. `volume`: all arguments and expansions together, which bounds time and memory. `output`: the expanded
    text. `pushdefs`: definitions of one name on top of each other. `pattern_steps`: what matching regular expressions
    may cost. `eval_nesting`: parentheses and powers within each other in `eval`, which recurses: some tens at most.

    Xen's own trees take 2,600 steps, OpenXT's 22,000, and the bundled packages 2 for each character.
    """

    calls: int = 1024
    arguments: int = 1 << 14
    depth: int = 8192
    expansions: int = 1_000_000
    text: int = 4 << 20
    steps: int = 3_000_000
    steps_at_least: int = 200_000
    steps_per_character: int = 8
    volume: int = 64 << 20
    output: int = 32 << 20
    pushdefs: int = 1024
    pattern_steps: int = 1_000_000
    eval_nesting: int = 32
