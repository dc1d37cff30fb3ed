//! The search, breadth first.

use crate::endpoint::Endpoint;
use crate::property::{Violation, check_end, check_state};
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::world::{Step, World};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// What a search has found.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Different states.
    pub(crate) states: usize,
    /// Steps made, each from one of them to another.
    pub(crate) steps: u64,
    /// Steps from the start to the furthest state.
    pub(crate) depth: usize,
    /// The first property that does not hold, with the shortest course that leads there.
    pub(crate) violation: Option<Violation>,
}

/// A state that was met.
struct Node {
    /// The state and the step that led here first; `None` at the start.
    from: Option<(usize, Step)>,
    depth: usize,
    /// Where it goes by itself, once no application has anything to do.
    next: Option<usize>,
}

/// A state that lies in a circle, and the step before it.
struct Found(usize, Option<Step>, Violation);

/// Meets every state of `scenario`.
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
    /// Where the states with these keys stand in `nodes`.
    met: HashMap<u128, usize>,
    /// Those whose steps were not made yet.
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
        self.find_circle()
    }

    /// A state, which may be known. Returns its place.
    fn meet(&mut self, world: World<E>, from: Option<(usize, Step)>) -> Result<usize, Found> {
        let index = self.nodes.len();
        match self.met.entry(world.key()) {
            Entry::Occupied(known) => return Ok(*known.get()),
            Entry::Vacant(place) => place.insert(index),
        };
        let depth = from.and_then(|(from, _)| self.nodes.get(from)).map_or(0, |node| node.depth + 1);
        self.nodes.push(Node { from, depth, next: None });
        let found = |violation| Found(index, None, violation);
        check_state(&world).map_err(found)?;
        if !world.has_duties() && world.next(self.scenario).is_none() {
            check_end(&world).map_err(found)?;
        }
        self.open.push_back((index, world));
        Ok(index)
    }

    /// A course that comes back to where it was, without an application or a fault: a wait without an end.
    fn find_circle(&self) -> Result<(), Found> {
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
                        Violation::new("it goes on like this for ever: a wait without an end"),
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

    /// What happens from the start to the state at `index`, and in one step more.
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
