//! Automatic repeat request: which number to send now, what is acknowledged, when to wake.
