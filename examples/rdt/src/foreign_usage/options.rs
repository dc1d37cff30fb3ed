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
        "-O" | "--remote-name" => "leave it out: a file keeps its own name, unless --output PATH gives another one",
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
        "-t" | "-E" | "--executability" => "times and permissions come along anyway (--no-preserve leaves them out)",
        "-R" | "--relative" => "a folder comes with everything in it anyway, under its own name",
        "-o" | "-g" | "--owner" | "--group" | "--chown" | "--numeric-ids" => {
            "owners stay behind: files belong to the user of the other program"
        }
        "-A" | "--acls" | "-X" | "--xattrs" | "-U" | "-N" => {
            "times of modification and permissions come along, and nothing else beside the content"
        }
        "-D" | "--devices" | "--specials" => "only files and folders are sent",
        "-x" | "--one-file-system" => "everything in a folder comes along, whatever disk it is on",
        "-m" | "--prune-empty-dirs" => "folders without a file come along as well",
        "-I" | "--ignore-times" | "--size-only" => "all files are replaced, unless --update or --verify skips some",
        "-W" | "--whole-file" | "--inplace" => {
            "what the other side has of a file is not sent again, and the file is replaced once it is complete"
        }
        "-b" | "--backup" | "--suffix" => "no copy is kept of a file that is replaced; give another name",
        "--files-from" => "give the files by name",
        "--list-only" => "write rdt ls HOST",
        "--max-size" | "--min-size" | "--existing" => "files are chosen by name only",
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
        "-e" | "--rsh" | "-F" | "-J" | "-M" | "--rsync-path" => "no shell is needed: the other side is rdt serve",
        "-B" | "-y" | "--yes" | "--interactive" => "nothing is asked; leave it out",
        "-L" | "-k" | "--copy-links" | "--copy-dirlinks" => "links to files are followed anyway",
        "-d" | "-H" | "-K" | "--links" | "--hard-links" | "--keep-dirlinks" => {
            "a link is sent as the file or folder that it leads to"
        }
        // What else scp, cp and rsync have: nothing of it has a counterpart.
        "-0" | "-3" | "-j" | "-O" | "-s" | "-S" | "-T" | "-w" | "-Z" => {
            "it has no counterpart here; leave it out, or see rdt help"
        }
        _ => return None,
    })
}

fn of_client(option: &str) -> Option<&'static str> {
    Some(match option {
        "-P" | "-p" | "--port" => "write HOST:PORT",
        "-i" => "there are no keys and no passwords; leave it out",
        "-4" | "-6" | "--ipv4" | "--ipv6" => {
            "the address decides; give one of that kind as the server, such as 127.0.0.1 or [::1]"
        }
        _ => return None,
    })
}

fn of_list(option: &str) -> Option<&'static str> {
    Some(match option {
        "-l" | "--long" | "-a" | "--all" | "-h" | "-A" | "-1" => "lengths, times and hidden files are listed anyway",
        "-R" => "write -r or --recursive",
        "-C" | "-c" | "-d" | "-F" | "-g" | "-G" | "-L" | "-n" | "-o" | "-s" | "-u" | "--color" => {
            "each line has a length, a time and a path, and a folder a slash at its end"
        }
        "-f" | "-t" | "-S" | "-U" | "--sort" => "the list has one order; sort it behind a pipe",
        _ => return None,
    })
}

fn of_server(option: &str) -> Option<&'static str> {
    Some(match option {
        "-4" | "-6" | "--ipv4" | "--ipv6" => "write --bind 127.0.0.1:PORT, or --bind [::1]:PORT",
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
