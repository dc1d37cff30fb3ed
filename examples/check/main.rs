//! Explores every course that two connections can take over a network with one fault, and checks what must always hold.
//!
//! ```text
//!             write, read, close, abort            write, read, close, abort
//!                        |                                    |
//!                     client  ---- datagrams, 10 ms each way ---->  server
//!                             <---- one of them lost, late or twice
//! ```
//!
//! ```sh
//! cargo run --release --example check               # each scenario; ends with 1 if a property is violated
//! cargo run --release --example check -- extended   # only those whose names contain that
//! ```
//!
//! The connections are the shipped ones, and what passes between them are the datagrams that they write. An explorer starts at
//! one state, makes each step that is possible there, and goes on from each state that it has not met, breadth first. So a
//! violation is found by the shortest course that leads to it, which is printed packet by packet. Two states are the same if
//! they are equal after [`Connection::rebase`](rdt_proto::connection::Connection::rebase): that makes them finitely many.
//!
//! | file | subject |
//! |---|---|
//! | `scenario` | what a run is made of: mechanism, mode, windows, how much is written |
//! | `endpoint` | what the explorer needs of a connection |
//! | `side` | one end: the connection, its application, and what it was told |
//! | `world` | both ends and the network: which steps are possible, and what a step does |
//! | `property` | what must hold in each state, and at the end |
//! | `explore` | the search |
//! | `trace` | the course of events that led somewhere, to be read |

mod endpoint;
mod explore;
mod property;
mod scenario;
mod side;
#[cfg(test)]
mod tests;
mod trace;
mod world;

use explore::{Outcome, explore};
use scenario::{Mechanism, Repeating, Scenario, Waiting};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let started = Instant::now();
    let mut is_sound = true;
    println!("{:44} {:>9} {:>11} {:>6} {:>7}", "scenario", "states", "steps", "depth", "seconds");
    for scenario in Scenario::all().into_iter().filter(|scenario| scenario.name().contains(&wanted)) {
        let begun = Instant::now();
        let outcome = match scenario.mechanism {
            Mechanism::StopAndWait => explore::<Waiting>(&scenario),
            Mechanism::SelectiveRepeat => explore::<Repeating>(&scenario),
        };
        let Outcome { states, steps, depth, violation } = outcome;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{:44} {states:>9} {steps:>11} {depth:>6} {seconds:>7.1}", scenario.name());
        if let Some(violation) = violation {
            println!("\n{violation}\n");
            is_sound = false;
        }
    }
    println!("{:.1} s in all", started.elapsed().as_secs_f64());
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
