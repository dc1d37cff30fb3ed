//! What to write instead of the options of `scp`, `cp`, `rsync` and `ls`.

/// What to write instead of an option that `command` does not have.
pub(crate) fn option(command: &str, option: &str) -> Option<String> {
    let why = match command {
        "put" => of_put(option).or_else(|| of_transfer(option)).or_else(|| of_client(option)),
        "get" => of_get(option).or_else(|| of_transfer(option)).or_else(|| of_client(option)),
        "ls" => of_list(option).or_else(|| of_client(option)),
        "load" | "bench" => of_client(option),
        "serve" => of_server(option),
        _ => None,
    };
    why.map(|why| format!("there is no {option}: {why}"))
}

fn of_put(option: &str) -> Option<&'static str> {
    Some(match option {
        "-o" | "--output" => "write --name PATH for the path at the server",
        "-f" | "--force" => "files at the server are replaced anyway, unless it has --no-replace",
        "--ignore-existing" => {
            "a server with --no-replace replaces none, and --update skips files that are the same there"
        }
        "--exclude" | "--include" | "--filter" => "nothing in a folder is left out; give the files and folders by name",
        "--remove-source-files" => "files stay on this machine; remove them once they are stored",
        _ => return None,
    })
}

fn of_get(option: &str) -> Option<&'static str> {
    Some(match option {
        "--name" => "write --output PATH for the place on this machine",
        "-f" | "--force" => "files on this machine are replaced anyway",
        "--ignore-existing" => "--update skips files that are the same on this machine, and others are replaced",
        "--exclude" | "--include" | "--filter" => {
            "nothing in a folder is left out; give names or patterns, as in rdt get 'photos/*.jpg' HOST"
        }
        "--remove-source-files" => "files stay at the server; its operator removes them",
        _ => return None,
    })
}

fn of_transfer(option: &str) -> Option<&'static str> {
    Some(match option {
        "-p" | "--preserve" | "-t" | "--times" | "--perms" => {
            "times and permissions come along anyway (--no-preserve leaves them out)"
        }
        "-a" | "--archive" => "folders, times and permissions come along anyway",
        "-u" => "write --update, to skip files that are the same on the other side; it replaces newer ones too",
        "-c" | "--checksum" => "write --verify, to skip files with the same content on the other side",
        "-C" | "-z" | "--compress" => "nothing is compressed; leave it out",
        "-l" | "--bwlimit" => "write --rate 20M for 20 million bits per second",
        "-n" | "--dry-run" => "rdt ls HOST lists what is there, and nothing is tried without effect",
        "--partial" | "--append" | "--continue" | "--resume" => {
            "an interrupted transfer goes on anyway, with the same command"
        }
        "--progress" => "a terminal shows the progress anyway (--quiet hides it, --json prints it)",
        "--stats" => "the sum is printed anyway, and -v says what the connection does",
        "--delete" => "nothing is removed on the other side",
        "-e" | "--rsh" => "no shell is needed: the other side is rdt serve",
        "-y" | "--yes" => "nothing is asked; leave it out",
        "-L" | "--copy-links" => "links to files are followed anyway",
        _ => return None,
    })
}

fn of_client(option: &str) -> Option<&'static str> {
    Some(match option {
        "-P" | "-p" | "--port" => "write HOST:PORT",
        "-i" => "there are no keys and no passwords; leave it out",
        "-q" => "write --quiet",
        _ => return None,
    })
}

fn of_list(option: &str) -> Option<&'static str> {
    Some(match option {
        "-l" | "--long" | "-a" | "--all" | "-h" | "-A" | "-1" => "lengths, times and hidden files are listed anyway",
        "-R" => "write -r or --recursive",
        "-t" | "-S" | "--sort" => "the list has one order; sort it behind a pipe",
        _ => return None,
    })
}

fn of_server(option: &str) -> Option<&'static str> {
    Some(match option {
        "-q" => "write --quiet",
        "-p" | "-P" | "--port" => {
            "write --bind 127.0.0.1:PORT for this machine alone, or --bind 0.0.0.0:PORT for everyone who reaches this machine"
        }
        "--host" | "--listen" | "--address" => "write --bind HOST:PORT",
        "-d" | "--dir" | "--directory" | "--folder" => "write --root DIR",
        "--daemon" | "--background" | "--detach" => {
            "a server stays in the foreground; systemd or the shell (nohup, &) can run it in the background"
        }
        _ => return None,
    })
}
