//! One connection: handshake, two ARQ halves, close.
