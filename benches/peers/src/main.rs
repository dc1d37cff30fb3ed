//! Measures reliable-transfer stacks side by side. See README.md.

mod alloc;
mod footprint;
mod grid;
mod memory;
mod network;
mod paths;
mod pattern;
mod report;
mod rng;
mod share;
mod short;
mod simulate;
mod stack;
mod stacks;
mod stop_and_wait;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// The command, and its options.
pub struct Args {
    command: String,
    only: Vec<String>,
    reps: Option<usize>,
    mib: Option<u64>,
    filter: String,
    seed: u64,
}

impl Args {
    /// Whether `--only` selects the stack `name`.
    ///
    /// An entry of `--only` is a part of a name, or a whole name as `=NAME`.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|only| only.strip_prefix('=').map_or(name.contains(only), |whole| name == whole))
    }
}

const USAGE: &str =
    "usage: rdt-proto-peers COMMAND [--only NAME[,NAME]] [--reps N] [--mib N] [--filter TEXT] [--seed N]
commands: memory simulate paths short share grid stop-and-wait footprint stacks";

fn args() -> Option<Args> {
    let mut words = std::env::args().skip(1);
    let mut args =
        Args { command: words.next()?, only: Vec::new(), reps: None, mib: None, filter: String::new(), seed: 0 };
    while let Some(flag) = words.next() {
        let value = words.next()?;
        match flag.as_str() {
            "--only" => args.only = value.split(',').map(str::to_string).collect(),
            "--reps" => args.reps = Some(value.parse().ok()?),
            "--mib" => args.mib = Some(value.parse().ok()?),
            "--seed" => args.seed = value.parse().ok()?,
            "--filter" => args.filter = value,
            _ => return None,
        }
    }
    Some(args)
}

fn main() {
    let Some(args) = args() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let stacks = stacks::all();
    match args.command.as_str() {
        "memory" => memory::run(&stacks, &args),
        "simulate" => simulate::run(&stacks, &args),
        "paths" => paths::run(&stacks, &args),
        "short" => short::run(&stacks, &args),
        "grid" => grid::run(&args),
        "stop-and-wait" => stop_and_wait::run(&args),
        "share" => share::run(&stacks, &args),
        "footprint" => footprint::run(&stacks, &args),
        "stacks" => {
            for s in &stacks {
                for control in [stack::Control::Default, stack::Control::Tolerant] {
                    if control == stack::Control::Default || s.has_tolerant() {
                        println!("{}, {control:?}: {}", s.name(), s.options(control));
                    }
                }
            }
        }
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}
