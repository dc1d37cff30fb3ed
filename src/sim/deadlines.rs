//! The deadlines of all nodes, sorted by a winner tree.

use std::vec::Vec;

use crate::Instant;

/// One deadline per node, in a winner tree.
///
/// A change takes O(log n). A query takes O(1) for the earliest deadline and O(log n) for its node. A change leaves no
/// stale entry, and only `push` allocates. Among equal deadlines the node with the lowest number comes first.
#[derive(Default)]
pub(super) struct Deadlines {
    /// `tree[1]` is the root, and `tree[i]` the earlier of `tree[2i]` and `tree[2i + 1]`. The leaves are the second
    /// half.
    tree: Vec<Instant>,
    nodes: usize,
}

/// The value of a leaf without a deadline.
const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Deadlines {
    /// Adds a node without a deadline.
    pub(super) fn push(&mut self) {
        self.nodes += 1;
        let leaves = self.tree.len() / 2;
        if self.nodes <= leaves {
            return;
        }
        let old = self.tree.split_off(leaves);
        let leaves = self.nodes.next_power_of_two();
        self.tree.clear();
        self.tree.resize(2 * leaves, NEVER);
        for (node, deadline) in old.into_iter().enumerate() {
            self.set(node, Some(deadline));
        }
    }

    /// Changes the deadline of `node`.
    pub(super) fn set(&mut self, node: usize, deadline: Option<Instant>) {
        let mut index = self.tree.len() / 2 + node;
        let mut earliest = deadline.unwrap_or(NEVER);
        while index > 0 && self.tree[index] != earliest {
            self.tree[index] = earliest;
            earliest = earliest.min(self.tree[index ^ 1]);
            index /= 2;
        }
    }

    /// The earliest deadline.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.tree.get(1).copied().filter(|&deadline| deadline != NEVER)
    }

    /// The node with the earliest deadline.
    pub(super) fn first(&self) -> Option<usize> {
        let earliest = self.earliest()?;
        let leaves = self.tree.len() / 2;
        let mut index = 1;
        while index < leaves {
            index *= 2;
            if self.tree[index] != earliest {
                index += 1;
            }
        }
        Some(index - leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Rng;

    #[test]
    fn the_earliest_agrees_with_a_linear_search() {
        let (mut deadlines, mut plain, mut rng) = (Deadlines::default(), Vec::new(), Rng::new(1));
        assert_eq!(deadlines.first(), None);
        for round in 0..2_000 {
            if round % 100 == 0 {
                deadlines.push();
                plain.push(None);
            }
            let node = rng.index(plain.len());
            plain[node] = rng.chance(0.8).then(|| Instant::from_micros(rng.below(50)));
            deadlines.set(node, plain[node]);
            let first = plain.iter().enumerate().filter_map(|(node, at)| Some(((*at)?, node))).min();
            assert_eq!(deadlines.earliest().zip(deadlines.first()), first, "round {round}");
        }
    }
}
