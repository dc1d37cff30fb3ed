//! Explores every possible run of two connections over a network with one fault, and checks properties in each state.
//!
//! ```text
//!             write, read, close, abort            write, read, close, abort
//!                        |                                    |
//!                     client  ---- datagrams, 10 ms each way ---->  server
//!                             <---- one of them lost, late or twice
//! ```
//!
//! ```sh
//! cargo run --release --example check               # every scenario; exit code 1 if a property is violated
//! cargo run --release --example check -- extended   # scenarios whose names contain "extended"
//! ```
//!
//! The connections are the shipped ones, and they exchange real datagrams. The explorer starts at one state, makes each
//! step that is possible there, and continues from each new state, breadth first. For a violation, the explorer prints
//! the shortest sequence of events that leads to it, packet by packet. Two states are the same if they are equal after
//! [`Connection::rebase`](rdt_proto::connection::Connection::rebase). The number of states is therefore finite.
//!
//! | file | subject |
//! |---|---|
//! | `scenario` | the parameters of a run: mechanism, mode, windows, number of writes |
//! | `endpoint` | the interface through which the explorer drives a connection |
//! | `side` | one side: the connection, its application, and the reported events |
//! | `world` | both sides and the network: possible steps, and the effect of a step |
//! | `property` | the properties of each state, and of the end |
//! | `explore` | the search |
//! | `trace` | the course of events that is printed with a violation |

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
