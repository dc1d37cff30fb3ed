//! Copying bytes without a panic.

/// Copies `from` to the start of `to`, as much of it as there is room for.
///
/// All copies of the crate go through it. The loop becomes a `memcpy`; `copy_from_slice` instead compares lengths, and where a
/// compiler builds for size its panic stays in the image, however plainly they are equal.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    if cfg!(debug_assertions) {
        // Without optimisation the loop takes many times as long.
        let len = from.len().min(to.len());
        if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
            to.copy_from_slice(from);
        }
        return;
    }
    for (from, to) in from.iter().zip(to) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::copy;

    #[test]
    fn the_shorter_side_decides_how_much_is_copied() {
        let mut to = [0; 3];
        copy(&[1, 2], &mut to);
        assert_eq!(to, [1, 2, 0]);
        copy(&[3, 4, 5, 6], &mut to);
        assert_eq!(to, [3, 4, 5]);
    }
}
