//! Framing, packets, options: bytes to values and back, without state.
