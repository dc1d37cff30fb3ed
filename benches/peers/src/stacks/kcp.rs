//! kcp, by the sans-IO crate of this name.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;

use kcp::Kcp;

use crate::stack::{Control, Endpoint, MILLI, Nanos, Output, Settings, Stack, Take};

pub struct KcpStack;

const HEADER: usize = 24;

#[derive(Default)]
struct Queue {
    ready: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

struct Out(Rc<RefCell<Queue>>);

impl Write for Out {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.borrow_mut();
        let mut buf = queue.spare.pop().unwrap_or_default();
        buf.clear();
        buf.extend_from_slice(datagram);
        queue.ready.push_back(buf);
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct End {
    kcp: Kcp<Out>,
    queue: Rc<RefCell<Queue>>,
    mss: usize,
    window: usize,
    /// The unread part of a segment that was larger than the reader's buffer.
    rest: VecDeque<u8>,
    segment: Vec<u8>,
    dirty: bool,
    updated: u64,
}

impl Stack for KcpStack {
    fn name(&self) -> &'static str {
        "kcp"
    }

    fn options(&self, control: Control) -> String {
        match control {
            Control::Default => {
                "stream mode, nodelay(true or false, 10 ms, resend 2, nc=false), flush after every batch".into()
            }
            Control::Tolerant => {
                "stream mode, nodelay(true or false, 10 ms, resend 2, nc=true), flush after every batch".into()
            }
        }
    }

    fn has_tolerant(&self) -> bool {
        true
    }

    fn variants(&self, _: Control) -> u8 {
        2
    }

    fn window_limited(&self, control: Control) -> bool {
        control == Control::Tolerant
    }

    fn connection_bytes(&self) -> Option<usize> {
        Some(size_of::<Kcp<Out>>())
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let end = || -> Option<Box<dyn Endpoint>> {
            let queue = Rc::new(RefCell::new(Queue::default()));
            let mut kcp = Kcp::new_stream(7, Out(queue.clone()));
            kcp.set_mtu(s.datagram).ok()?;
            let mss = s.datagram - HEADER;
            let window = (s.window / mss).clamp(16, 60_000);
            kcp.set_wndsize(window as u16, window as u16);
            // In variant 0 the RTO is at least 30 ms and grows by half. In variant 1 it is at least 100 ms and doubles.
            kcp.set_nodelay(s.variant == 0, 10, 2, s.control == Control::Tolerant);
            kcp.update(0).ok()?;
            Some(Box::new(End {
                kcp,
                queue,
                mss,
                window,
                rest: VecDeque::new(),
                segment: vec![0; s.datagram],
                dirty: false,
                updated: 0,
            }))
        };
        Some((end()?, end()?))
    }
}

impl Endpoint for End {
    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        let mut taken = 0;
        while taken < data.len() && self.kcp.wait_snd() < 2 * self.window {
            let n = (data.len() - taken).min(32 * self.mss);
            match self.kcp.send(&data[taken..taken + n]) {
                Ok(n) => taken += n,
                Err(_) => break,
            }
            self.dirty = true;
        }
        taken
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        if !self.rest.is_empty() {
            return super::null::take(&mut self.rest, out);
        }
        match self.kcp.peeksize() {
            Ok(n) if n <= out.len() => self.kcp.recv(out).unwrap_or(0),
            Ok(n) => {
                if self.kcp.recv(&mut self.segment).is_err() {
                    return 0;
                }
                let part = out.len();
                out.copy_from_slice(&self.segment[..part]);
                self.rest.extend(&self.segment[part..n]);
                part
            }
            Err(_) => 0,
        }
    }

    fn input(&mut self, now: Nanos, datagram: &[u8], _: Take<'_>) {
        // kcp measures round trips with the time of the last update.
        if self.updated != now / MILLI {
            self.updated = now / MILLI;
            let _ = self.kcp.update(self.updated as u32);
        }
        let _ = self.kcp.input(datagram);
        self.dirty = true;
    }

    fn service(&mut self, now: Nanos) {
        let ms = (now / MILLI) as u32;
        let _ = self.kcp.update(ms);
        if self.dirty {
            let _ = self.kcp.flush();
            self.dirty = false;
        }
    }

    fn output(&mut self, _: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        let mut queue = self.queue.borrow_mut();
        let ready = queue.ready.pop_front()?;
        let spare = std::mem::replace(out, ready);
        queue.spare.push(spare);
        Some(Output::one(out.len()))
    }

    fn deadline(&mut self, now: Nanos) -> Option<Nanos> {
        let wait = self.kcp.check((now / MILLI) as u32) as u64;
        Some((now / MILLI + wait.max(1)) * MILLI)
    }

    fn tick(&mut self, now: Nanos) {
        let _ = self.kcp.update((now / MILLI) as u32);
    }

    fn trim(&mut self) {
        *self.queue.borrow_mut() = Queue::default();
        self.rest = VecDeque::new();
        self.segment = Vec::new();
    }
}
