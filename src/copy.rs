//! Copies bytes without a panic path.

/// Copies `from` to the start of `to`, as far as it fits.
///
/// In release builds the loop compiles to `memcpy`. `copy_from_slice` compares the lengths first. If the code is
/// optimized for size, its panic path stays in the binary, even if the lengths are always equal.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    if cfg!(debug_assertions) {
        // Without optimization the loop is many times slower than `copy_from_slice`.
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
    fn the_shorter_slice_limits_the_copy() {
        let mut to = [0; 3];
        copy(&[1, 2], &mut to);
        assert_eq!(to, [1, 2, 0]);
        copy(&[3, 4, 5, 6], &mut to);
        assert_eq!(to, [3, 4, 5]);
    }
}
