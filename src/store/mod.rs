//! Bytes by number, in memory that the caller owns.
