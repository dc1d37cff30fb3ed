//! A breadth-first search of the states.

use crate::endpoint::Endpoint;
use crate::property::{Violation, check_end, check_state};
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::world::{Step, World};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// The result of a search.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The number of distinct states.
    pub(crate) states: usize,
    /// The number of steps that were taken.
    pub(crate) steps: u64,
    /// The number of steps from the start to the furthest state.
    pub(crate) depth: usize,
    /// The first violated property, with the shortest course to it.
    pub(crate) violation: Option<Violation>,
}

/// A visited state.
struct Node {
    /// The previous state and the step from it. `None` at the start.
    from: Option<(usize, Step)>,
    depth: usize,
    /// The next state if no fault occurs and no application makes a call. `None` while a required call is outstanding,
    /// and at the end.
    next: Option<usize>,
}

/// A violation in the state with this index, or in the step from that state.
struct Found(usize, Option<Step>, Violation);

/// Visits every state of `scenario`.
pub(crate) fn explore<E: Endpoint>(scenario: &Scenario) -> Outcome {
    let mut search = Search::<E> { scenario, nodes: Vec::new(), met: HashMap::new(), open: VecDeque::new(), steps: 0 };
    let violation = search.run().err().map(|Found(index, step, violation)| {
        let course = search.course(index, step);
        violation.after(&course)
    });
    let depth = search.nodes.iter().map(|node| node.depth).max().unwrap_or_default();
    Outcome { states: search.nodes.len(), steps: search.steps, depth, violation }
}

struct Search<'s, E> {
    scenario: &'s Scenario,
    nodes: Vec<Node>,
    /// The index in `nodes` of each state, by its key.
    met: HashMap<u128, usize>,
    /// States whose steps are not explored yet.
    open: VecDeque<(usize, World<E>)>,
    steps: u64,
}

impl<E: Endpoint> Search<'_, E> {
    fn run(&mut self) -> Result<(), Found> {
        let start = World::new(self.scenario, &mut Trace::default());
        let start = start.map_err(|violation| Found(0, None, violation))?;
        self.meet(start, None)?;
        while let Some((index, world)) = self.open.pop_front() {
            let idle = if world.has_duties() { None } else { world.next(self.scenario) };
            for step in world.steps(self.scenario) {
                self.steps += 1;
                let after = world.after(step, self.scenario, &mut Trace::default());
                let after = after.map_err(|violation| Found(index, Some(step), violation))?;
                let next = self.meet(after, Some((index, step)))?;
                if idle == Some(step)
                    && let Some(node) = self.nodes.get_mut(index)
                {
                    node.next = Some(next);
                }
            }
        }
        self.find_cycle()
    }

    /// Returns the index of a state. Checks the state and queues its steps if it is new.
    fn meet(&mut self, world: World<E>, from: Option<(usize, Step)>) -> Result<usize, Found> {
        let index = self.nodes.len();
        match self.met.entry(world.key()) {
            Entry::Occupied(known) => return Ok(*known.get()),
            Entry::Vacant(place) => place.insert(index),
        };
        let depth = from.and_then(|(from, _)| self.nodes.get(from)).map_or(0, |node| node.depth + 1);
        self.nodes.push(Node { from, depth, next: None });
        let found = |violation| Found(index, None, violation);
        check_state(&world, self.scenario).map_err(found)?;
        if !world.has_duties() && world.next(self.scenario).is_none() {
            check_end(&world, self.scenario).map_err(found)?;
        }
        self.open.push_back((index, world));
        Ok(index)
    }

    /// Finds a cycle of states in which no fault occurs and no application makes a call.
    ///
    /// In such a cycle the connections never end.
    fn find_cycle(&self) -> Result<(), Found> {
        let next = |index: usize| self.nodes.get(index).and_then(|node| node.next);
        let mut seen = vec![0; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut at = Some(start);
            while let Some(index) = at {
                let Some(mark) = seen.get_mut(index) else { break };
                if *mark == start + 1 {
                    return Err(Found(
                        index,
                        None,
                        Violation::new("the last states repeat forever, so the connections never end"),
                    ));
                }
                if *mark != 0 {
                    break;
                }
                *mark = start + 1;
                at = next(index);
            }
        }
        Ok(())
    }

    /// The trace from the start to the state at `index`, followed by the step `last`.
    fn course(&self, index: usize, last: Option<Step>) -> String {
        let mut steps: Vec<_> = last.into_iter().collect();
        let mut at = index;
        while let Some((from, step)) = self.nodes.get(at).and_then(|node| node.from) {
            steps.push(step);
            at = from;
        }
        let mut trace = Trace::kept();
        let mut world = World::<E>::new(self.scenario, &mut trace);
        for step in steps.into_iter().rev() {
            world = world.and_then(|world| world.after(step, self.scenario, &mut trace));
        }
        trace.into_text()
    }
}
