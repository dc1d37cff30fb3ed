//! Opens files without waiting for anything.

/// Opens a pipe or a device without waiting for its other end. It has no effect on a regular file.
#[cfg(unix)]
pub(crate) fn without_waiting<O: Flags>(options: &mut O) -> &mut O {
    options.flags(libc::O_NONBLOCK | libc::O_NOCTTY)
}

#[cfg(not(unix))]
pub(crate) fn without_waiting<O>(options: &mut O) -> &mut O {
    options
}

/// The options of two crates that open files.
#[cfg(unix)]
pub(crate) trait Flags {
    fn flags(&mut self, flags: i32) -> &mut Self;
}

#[cfg(unix)]
impl Flags for std::fs::OpenOptions {
    fn flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(self, flags)
    }
}

#[cfg(unix)]
impl Flags for cap_std::fs::OpenOptions {
    fn flags(&mut self, flags: i32) -> &mut Self {
        cap_std::fs::OpenOptionsExt::custom_flags(self, flags)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Without the flag, this call waits until a writer opens the pipe.
        let file = without_waiting(std::fs::OpenOptions::new().read(true)).open(&pipe).unwrap();
        assert!(!file.metadata().unwrap().is_file());
    }
}
