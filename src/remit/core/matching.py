"""Maximum bipartite matching: whether every one of these can be paired with a different one of those.

The clauses of a parent's `all` must each be answered by a clause of its own in the child. Taking the first that fits can
run into a dead end, and trying every assignment takes factorial time. Augmenting paths (Kuhn, 1955) do neither: each
round pairs one more, and looks at each partner once.
"""

from collections.abc import Sequence


def can_all_be_paired(choices: Sequence[int]) -> bool:
    """Say whether every i can have a partner of its own: bit j of `choices[i]` says that j would do for i.

    Takes at most one look at each partner for each i, and recurses at most as deep as there are i.
    """
    owners: dict[int, int] = {}
    return all(_Round(choices, owners).pair(wanting) for wanting in range(len(choices)))


class _Round:
    """One search for a path that gives one more a partner, moving others to other partners on its way."""

    __slots__ = ("choices", "owners", "unseen")

    def __init__(self, choices: Sequence[int], owners: dict[int, int]) -> None:
        self.choices = choices
        self.owners = owners
        self.unseen = -1  # every bit set

    def pair(self, wanting: int) -> bool:
        while open_choices := self.choices[wanting] & self.unseen:
            lowest = open_choices & -open_choices
            partner = lowest.bit_length() - 1
            self.unseen &= ~lowest
            owner = self.owners.get(partner)
            if owner is None or self.pair(owner):
                self.owners[partner] = wanting
                return True
        return False
