//! What an idle connection takes in memory.

use crate::memory::transfer;
use crate::pattern::Pattern;
use crate::report::table;
use crate::stack::{Control, Settings, Stack};
use crate::{Args, alloc};

/// Windows of 64 KiB in datagrams of 1,200 bytes.
const SETTINGS: Settings = Settings { datagram: 1_200, window: 64 * 1024, control: Control::Default, variant: 0 };
/// How much was moved before.
const BYTES: u64 = 256 * 1024;

/// After some windows have been moved and acknowledged: what is on the heap for one of two ends, the type of the connection
/// included, and what the harness keeps beside it (some hundred bytes).
pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let pattern = Pattern::new();
    let mut rows = Vec::new();
    for stack in stacks.iter().filter(|stack| stack.has_footprint() && args.wants(stack.name())) {
        let mut heap = 0;
        // What a stack allocates once, for its process, is there the second time.
        for _ in 0..2 {
            let before = alloc::live();
            let Some((mut a, mut b)) = stack.pair(&SETTINGS) else { break };
            if let Err(why) = transfer(&mut *a, &mut *b, BYTES, 64, &pattern) {
                println!("{}: {why}", stack.name());
                break;
            }
            a.trim();
            b.trim();
            heap = alloc::live().saturating_sub(before) / 2;
        }
        let size = stack.connection_bytes().map_or("–".into(), |bytes| bytes.to_string());
        let lent = stack.lent_bytes(&SETTINGS);
        rows.push(vec![stack.name().into(), size, (heap - lent.min(heap)).to_string(), lent.to_string()]);
    }
    table(&["stack", "its type", "idle, bytes in all", "and the buffers lent to it"], &rows);
}
