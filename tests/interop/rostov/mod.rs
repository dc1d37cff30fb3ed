//! A model of the public implementation: its transport and its file program, with both methods and in both roles.
//!
//! The model is held against the recorded sessions ([`recorded`]). It then runs each exchange with this crate over
//! networks that lose datagrams ([`exchanges`]).
//!
//! | habit of the implementation | selective repeat | stop-and-wait |
//! |---|---|---|
//! | a datagram that it cannot decode, or from a third address, ends it | yes | yes |
//! | its server ends for all clients if anything but CONNECT comes from an address that it does not know any more | yes | yes |
//! | it sends an empty INFO 0 after CONNACK, and waits for its ACK | yes | yes |
//! | each header is an INFO of its own, and other bodies have up to 62,000 bytes | yes | yes |
//! | its client sends all content, and then reads the answer | yes | yes |
//! | CONNACK | after 1.5 s of silence, 50 times. Each CONNECT restarts the silence | for each CONNECT until INFO 0 |
//! | CONNECT after INFO 0 | ignored | ends its handler |
//! | an INFO beyond its window | 500 numbers; no ACK | 1 number; ACK, but it is dropped |
//! | an INFO that it has | ACK | ACK, but it is dropped |
//! | numbers wrap at | 2^32 | 2^16 |
//! | it reads a packet | at once | each 0.1 s, from a socket with 200 KB |
//! | it repeats CONNECT and INFO | each 1.5 s, 50 times | each 1.5 s, 50 times |
//! | a FIN of the peer | ends both directions: a call to send raises, and nothing is repeated | ends the direction of the peer |
//! | it repeats its own FIN | each 1.5 s | each 2 s |
//! | a FINACK | ends it. Without a FIN before it answers by FINACK | ends its direction, also if nothing asked for it |
//! | after the close it waits | 7 s for FINACK | 5 s for a repeated FIN |

mod exchanges;
mod ours;
pub(crate) mod program;
mod recorded;
pub(crate) mod transport;
