//! The memory that an idle connection takes.

use crate::memory::transfer;
use crate::pattern::Pattern;
use crate::report::table;
use crate::stack::{Control, Settings, Stack};
use crate::{Args, alloc};

/// The settings of both ends: windows of 64 KiB, datagrams of 1,200 bytes.
const SETTINGS: Settings = Settings { datagram: 1_200, window: 64 * 1024, control: Control::Default, variant: 0 };
/// The number of bytes transferred before the measurement.
const BYTES: u64 = 256 * 1024;

/// Measures the heap memory of one end after some windows of data are transferred and acknowledged.
///
/// The figure includes the type of the connection, and some hundred bytes of the harness.
pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let pattern = Pattern::new();
    let mut rows = Vec::new();
    for stack in stacks.iter().filter(|stack| stack.has_footprint() && args.wants(stack.name())) {
        let mut heap = 0;
        // The first run makes the allocations that a stack makes once in a process. The second run counts.
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
    table(&["stack", "size of its type", "idle, bytes in all", "buffers lent to it, in addition"], &rows);
}
