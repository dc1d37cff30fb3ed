//! The arguments of a transfer.

use crate::common_args::Common;
use crate::foreign_usage;
use crate::remote_path;
use crate::server_address::{self, ServerAddress};
use crate::session::{FileOptions, Skip};
use clap::{Args, ValueHint};
use rdt_proto::files::FilePathBox;
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(override_usage = "rdt put [OPTIONS] <FILE>... <ADDR>")]
pub(crate) struct PutArgs {
    /// The files and folders to send, or - for the standard input. A folder is sent with everything in it. Last the
    /// server: host, host:port, or rdt://host:port with a path after a slash. The first address of the host that
    /// answers gets the files
    #[arg(value_name = "FILE> <ADDR", required = true, num_args = 1.., value_hint = ValueHint::AnyPath)]
    words: Vec<OsString>,
    /// The path to store the file or folder under, by default its name; folders above are made. With several files, or
    /// with a slash at the end, the folder to store them in
    #[arg(long, value_name = "PATH", value_parser = Name::parse)]
    name: Option<Name>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to send, and where.
pub(crate) struct PutRequest {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) server: ServerAddress,
    /// `None` for names of their own.
    pub(crate) name: Option<Name>,
}

/// The path to store something under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) path: FilePathBox,
    /// Whether it is that of a folder to store it in: it ends with a slash.
    pub(crate) is_folder: bool,
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { path: parse_path(text)?, is_folder: text.ends_with('/') })
    }
}

#[derive(Args)]
#[command(override_usage = "rdt get [OPTIONS] <NAME>... <ADDR>\n       rdt get [OPTIONS] rdt://HOST[:PORT]/PATH")]
pub(crate) struct GetArgs {
    /// The paths of files and folders at the server, or patterns (*, ?, [a-z], ** for any folders; hidden files match
    /// too) and . for everything, and last the server: host or host:port. Or one URL, rdt://host:port/path
    #[arg(value_name = "NAME> <ADDR", required = true, num_args = 1..)]
    words: Vec<String>,
    /// The file or the folder to store it in, by default the current folder, or - for the standard output. An existing
    /// file is replaced once the download is complete. A symbolic link to a file is itself replaced. An existing folder
    /// gets it under its own name, unless the same command has made the folder, as the copy of another one: then it
    /// goes on there. With a slash at the end it is always the folder to store in
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// The server: host or host:port, and perhaps a folder or a pattern after a slash, such as host:6969/photos or
    /// 'host/*.jpg'
    #[arg(value_name = "ADDR[/PATTERN]", value_parser = ServerAddress::parse_with_path)]
    pub(crate) server: ServerAddress,
    /// A path that stands apart, as ls has it
    #[arg(hide = true)]
    others: Vec<String>,
    /// List the folders below as well
    #[arg(long, short)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl ListArgs {
    pub(crate) fn check(&self) -> Result<(), String> {
        foreign_usage::order_of_ls(&self.server.to_string(), &self.others).map_or(Ok(()), Err)
    }
}

/// Which files are transferred, and how.
#[derive(Args)]
pub(crate) struct Choice {
    /// Skip files that have the same length and time of modification on the other side
    #[arg(long)]
    update: bool,
    /// Skip files that have the same content on the other side: both sides compute its BLAKE3
    #[arg(long, conflicts_with = "update")]
    verify: bool,
    /// Keep neither times of modification nor permissions. Owners, and the set-user-ID, set-group-ID and sticky bits,
    /// are never kept
    #[arg(long)]
    no_preserve: bool,
    /// As scp has it. A folder comes with everything in it anyway
    #[arg(short, long, hide = true)]
    recursive: bool,
    /// As scp and cp have it. Times and permissions come along anyway
    #[arg(short, long, aliases = ["times", "perms"], hide = true, conflicts_with = "no_preserve")]
    preserve: bool,
    /// As rsync and cp have it: both of these
    #[arg(short, long, hide = true, conflicts_with = "no_preserve")]
    archive: bool,
}

impl Choice {
    pub(crate) fn options(&self) -> FileOptions {
        FileOptions { skip: self.skip(), preserves: self.preserve() }
    }

    pub(crate) fn skip(&self) -> Skip {
        match (self.update, self.verify) {
            (true, _) => Skip::SameTime,
            (false, true) => Skip::SameContent,
            (false, false) => Skip::Nothing,
        }
    }

    pub(crate) fn preserve(&self) -> bool {
        !self.no_preserve
    }

    /// A session in base mode has no metadata and no digests.
    pub(crate) fn check_base_mode(&self) -> Result<(), String> {
        match self.skip() {
            Skip::Nothing if self.preserve || self.archive => {
                Err("a server in base mode has neither times nor permissions: leave -p and -a out".into())
            }
            Skip::Nothing => Ok(()),
            Skip::SameTime => Err("a server in base mode tells no times: leave --update out".into()),
            Skip::SameContent => Err("a server in base mode tells no digests: leave --verify out".into()),
        }
    }
}

impl PutArgs {
    /// What to send, and where.
    pub(crate) fn request(&self) -> Result<PutRequest, String> {
        let (server, files) = match self.words.as_slice() {
            [] => return Err("the file and the server are missing".into()),
            [word] => {
                return Err(foreign_usage::beside_word_of_put(&word.to_string_lossy(), self.name_text().as_deref()));
            }
            [files @ .., server] => (server.to_string_lossy(), files),
        };
        let address = ServerAddress::parse(&server).map_err(|why| invalid(&server, &why))?;
        let files: Vec<_> = files.iter().map(PathBuf::from).collect();
        let of_url = address.name().map(|path| Name { path: path.clone(), is_folder: address.names_folder() });
        if files.len() > 1 && files.iter().any(|file| file.as_os_str() == "-") {
            return Err("the standard input is sent alone: give one command for it, and one for the files".into());
        }
        let name = match (&self.name, of_url) {
            (Some(_), Some(_)) => return Err("the address has a name already: leave --name out".into()),
            (None, None) if files.iter().any(|file| file.as_os_str() == "-") => {
                return Err("the standard input has no name: give --name (a file named - is ./-)".into());
            }
            (name, None) => name.clone(),
            (None, name) => name,
        };
        Ok(PutRequest { files, server: address, name })
    }

    /// Checks the words. The system is asked for the last one if it may be no server.
    pub(crate) fn check(&self) -> Result<(), String> {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        foreign_usage::order_of_put(&words, self.name_text().as_deref()).map_or_else(|| self.request().map(drop), Err)
    }

    /// What the user has given as --name, up to a slash at the end.
    fn name_text(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("{}{}", name.path, if name.is_folder { "/" } else { "" }))
    }
}

impl GetArgs {
    /// The paths of the files, and their server.
    pub(crate) fn request(&self) -> Result<(Vec<FilePathBox>, ServerAddress), String> {
        if self.common.json && self.writes_to_stdout() {
            return Err("--json and the content cannot both go to the standard output: give --output FILE".into());
        }
        let (names, server) = match self.words.as_slice() {
            [url] if server_address::is_url(url) => {
                let server = ServerAddress::parse(url).map_err(|why| invalid(url, &why))?;
                let name = server.name().ok_or("the URL has no name of a file: give rdt://host:port/name")?.clone();
                (vec![name], server)
            }
            [] => return Err("the name and the server are missing".into()),
            [word] => return Err(foreign_usage::beside_word_of_get(word, self.output_text().as_deref())),
            [names @ .., server] => {
                if names.iter().any(|name| server_address::is_url(name)) {
                    return Err("a URL names the server already: give it alone".into());
                }
                let server = ServerAddress::parse(server).map_err(|why| invalid(server, &why))?;
                if server.name().is_some() {
                    return Err("the address has a name already".into());
                }
                let names: Result<_, _> =
                    names.iter().map(|name| parse_name(name).map_err(|why| invalid(name, &why))).collect();
                (names?, server)
            }
        };
        if names.len() > 1 && self.writes_to_stdout() {
            return Err("the standard output takes one file: give one NAME, or --output FOLDER".into());
        }
        Ok((names, server))
    }

    /// Checks the words. The system is asked for the last one if it may be no server.
    pub(crate) fn check(&self) -> Result<(), String> {
        foreign_usage::order_of_get(&self.words, self.output_text().as_deref())
            .map_or_else(|| self.request().map(drop), Err)
    }

    fn output_text(&self) -> Option<Cow<'_, str>> {
        self.output.as_deref().map(Path::to_string_lossy)
    }

    pub(crate) fn writes_to_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(|output| output.as_os_str() == "-")
    }
}

fn invalid(word: &str, why: &str) -> String {
    format!("invalid value '{word}': {why}")
}

/// A path or a pattern at a server.
fn parse_name(text: &str) -> Result<FilePathBox, String> {
    parse_path(if matches!(text, "." | "./") { "*" } else { text })
}

/// A path at a server. A folder may end with a slash.
fn parse_path(text: &str) -> Result<FilePathBox, String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    remote_path::parse(path)
}
