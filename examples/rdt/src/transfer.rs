//! The commands `put`, `get` and `ls`: with one connection for all files, or for one file with a server in base mode.

use crate::common_args::Common;
use crate::destination::{self, Here, NewFolder};
use crate::file_storage::Files;
use crate::files::{self, EntryBuf, FollowedLinks, Outgoing, Tree, TreeRules};
use crate::folder_copy::{CopyState, FolderCopy};
use crate::json::{self, Record};
use crate::local_failure::cannot_read_argument;
use crate::messages::{to_stderr, to_stdout};
use crate::path_pattern::PathPattern;
use crate::progress::Progress;
use crate::report::Local;
use crate::request::{self, Job};
use crate::server_address::ServerAddress;
use crate::session::{
    self, Count, Done, Get, Item, Items, List, Matching, One, Outcomes, Put, Run, Speech, Wanted, own_name,
};
use crate::stop::Stop;
use crate::transfer_args::{GetArgs, ListArgs, PutArgs, PutRequest};
use indicatif::HumanBytes;
use rdt_proto::files::{FileKind, FilePath, FilePathBox};
use rdt_proto::ftp::{Client, ClientConfig, NameBuf, Transfer};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

/// What ends the input of a terminal.
const END_OF_INPUT: &str = if cfg!(windows) { "Ctrl-Z and Enter" } else { "Ctrl-D" };

pub(crate) fn put(args: &PutArgs, stop: Stop) -> Result<ExitCode, String> {
    let request = args.request()?;
    if args.common.is_base_mode() {
        return put_one(args, &request, stop);
    }
    let PutRequest { files, server, name } = &request;
    // A name that is not known is an error before a large folder is searched.
    let servers = &server.resolve()?;
    let uses_pipe = files.iter().any(|file| file.as_os_str() == "-");
    let is_typed = uses_pipe && io::stdin().is_terminal();
    if is_typed && !args.common.quiet {
        to_stderr(format_args!("reading the standard input until {END_OF_INPUT}"));
    }
    let Items { items, failures } = Items::of(files, name.as_ref());
    let is_single = matches!((items.as_slice(), failures.as_slice()), ([item], []) if !item.is_folder())
        || matches!((items.as_slice(), failures.as_slice()), ([], [_]));
    let title = match (files.as_slice(), items.as_slice()) {
        ([_], [item]) => item.path.to_string(),
        ([file], _) => own_name(file).unwrap_or_else(|_| file.display().to_string()),
        (_, items) => items.iter().map(Item::one).sum::<Count>().files_or_folders(),
    };
    let in_messages = in_messages(&title, files.len());
    let mut outcomes = Outcomes::new(Transfer::Upload, in_messages, is_single, speech(&args.common));
    outcomes.name_place(match (files.as_slice(), items.last(), name) {
        // The folder that the others are in comes last.
        ([_], Some(item), _) if item.is_folder() => Some(format!("\"{}\"", item.path)),
        ([_, _, ..], _, Some(folder)) => Some(format!("\"{}\"", folder.path)),
        (_, _, _) => None,
    });
    failures.into_iter().for_each(|why| outcomes.fail(One::File, why));
    if items.is_empty() {
        return outcomes.finish(rdt_proto::Duration::ZERO).map(|()| ExitCode::SUCCESS);
    }
    // A client that is turned away makes its requests anew.
    let make = || Ok(Put::new(items.clone(), args.choice.options(), outcomes.clone()));
    let run = Run { servers, common: &args.common, stop, is_download: false, uses_pipe };
    let is_shown = is_typed && !args.common.json;
    let progress = || Progress::of(&args.common, Transfer::Upload, &title, &server.to_string(), is_shown);
    run.run(progress, make)?.end(Put::finish)
}

pub(crate) fn get(args: &GetArgs, stop: Stop) -> Result<ExitCode, String> {
    if args.common.is_base_mode() {
        return get_one(args, stop);
    }
    let (names, server) = args.request()?;
    let servers = &server.resolve()?;
    let is_single = names.len() == 1;
    let rules = rules_of(args);
    let needs_folder = !is_single || names.first().is_some_and(|name| PathPattern::of(name).is_some());
    let _made = if needs_folder { NewFolder::make(args.output.as_deref())? } else { None };
    let (mut wanted, mut all_matching, mut literal) = (Vec::new(), Vec::new(), Vec::new());
    for name in &names {
        if let Some(pattern) = PathPattern::of(name) {
            all_matching.push(match_in(args, pattern, rules)?);
        } else {
            wanted.push(want(args, name, &server, is_single, rules)?);
            literal.push(name);
        }
    }
    if let Some(own_name) = repeated(&literal) {
        return Err(format!("two of the names become {own_name} on this machine: fetch them one by one"));
    }
    let taken: Vec<_> =
        literal.iter().filter_map(|name| FilePath::new(own_name_of(name)).ok()).map(Into::into).collect();
    let title = match names.as_slice() {
        // What the user may have written as a dot.
        [name] if &**name == "*" => ".".into(),
        [name] => name.to_string(),
        // Each may be that of a file or a folder.
        names => format!("{} names", names.len()),
    };
    let uses_pipe = args.writes_to_stdout();
    let run = Run { servers, common: &args.common, stop, is_download: true, uses_pipe };
    let make = || {
        let in_messages = in_messages(&title, names.len());
        let mut outcomes = Outcomes::new(Transfer::Download, in_messages, is_single, speech(&args.common));
        if needs_folder {
            outcomes.name_place(args.output.as_deref().map(|folder| folder.display().to_string()));
        }
        let outcomes = if uses_pipe { outcomes.with_content_on_stdout() } else { outcomes };
        let get = Get::new(wanted.clone(), args.choice.options(), outcomes);
        Ok(get.matching(all_matching.clone(), taken.clone()))
    };
    let is_shown = uses_pipe && io::stdout().is_terminal();
    let progress = || Progress::of(&args.common, Transfer::Download, &title, &server.to_string(), is_shown);
    run.run(progress, make)?.end(Get::finish)
}

/// The name on this machine that two of these have.
fn repeated<'n>(names: &[&'n FilePathBox]) -> Option<&'n str> {
    let mut own_names: Vec<_> = names.iter().map(|name| own_name_of(name)).collect();
    own_names.sort_unstable();
    own_names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    })
}

/// The last component of a path.
fn own_name_of(path: &FilePathBox) -> &str {
    path.as_path().components().last().unwrap_or_default()
}

fn rules_of(args: &GetArgs) -> TreeRules {
    let (preserve, remembers_here) = (args.choice.preserve(), false);
    // A link of the user in the folder that is fetched may lead elsewhere.
    let links_in_paths = FollowedLinks::InFirstFolder;
    TreeRules { preserve, remembers_here, links_in_paths, ..TreeRules::default() }
}

/// Where the files and folders go that match a pattern.
fn match_in(args: &GetArgs, pattern: PathPattern, rules: TreeRules) -> Result<Matching, String> {
    if args.writes_to_stdout() {
        return Err("the standard output takes one file: give a name without a pattern, or --output FOLDER".into());
    }
    let (folder, beneath) = destination::folder(args.output.as_deref())?;
    Ok(Matching { pattern, tree: Tree::new(folder, rules), beneath })
}

/// Where the file or folder `name` of a server goes.
fn want(
    args: &GetArgs,
    name: &FilePathBox,
    server: &ServerAddress,
    is_single: bool,
    rules: TreeRules,
) -> Result<Wanted, String> {
    let (own_name, output, skip) = (own_name_of(name), args.output.as_deref(), args.choice.skip());
    let copy_as = |path: &Path| FolderCopy::new(path, &server.host_and_port(), name);
    let place = if is_single {
        destination::place(output, own_name, |path| copy_as(path).is_some_and(|copy| copy.state().is_some()))?
    } else {
        destination::place_in(output, own_name)?
    };
    match place {
        destination::Place::StandardOutput => {
            let destination = session::Destination::StandardOutput;
            Ok(Wanted { path: name.clone(), destination, entry: None, here: Here::Unknown, skip, copy: None })
        }
        destination::Place::Entry { path, folder, name: entry, here } => {
            let copy = copy_as(&path);
            let state = copy.as_ref().and_then(FolderCopy::state);
            let beneath = path.parent().unwrap_or(Path::new("")).to_owned();
            Ok(Wanted {
                path: name.clone(),
                destination: session::Destination::File { tree: Tree::new(folder, rules), path: entry, beneath },
                entry: None,
                here,
                // What an interrupted command has stored need not come again.
                skip: if state == Some(CopyState::Begun) { skip.or_same_time() } else { skip },
                copy: copy.filter(|_| here != Here::Folder || state.is_some()),
            })
        }
    }
}

pub(crate) fn list(args: &ListArgs, stop: Stop) -> Result<ExitCode, String> {
    if args.common.is_base_mode() {
        return Err("a server in base mode has no lists: only put and get work there".into());
    }
    let servers = &args.server.resolve()?;
    let run = Run { servers, common: &args.common, stop, is_download: true, uses_pipe: false };
    let make = || {
        let print = |entries: &[EntryBuf]| entries.iter().for_each(print);
        Ok(List::new(args.server.name(), args.recursive, print))
    };
    let done: Done<List> = run.run(|| Progress::Quiet, make)?;
    done.end(|mut list, _, _| list.failure().map_or(Ok(()), Err))
}

fn print(entry: &EntryBuf) {
    let is_folder = entry.kind == FileKind::Folder;
    let modified = entry.metadata.modified.and_then(files::time_text);
    if json::is_chosen() {
        let kind = match entry.kind {
            FileKind::File => "file",
            FileKind::Folder => "folder",
            FileKind::Link => "link",
            FileKind::Unreadable => "unreadable",
            FileKind::Nothing | FileKind::Other(_) => "other",
        };
        return Record::Entry { path: &entry.path, kind, bytes: entry.length, modified }.print();
    }
    let length = match entry.kind {
        FileKind::Folder => String::new(),
        // The length of its target's name says nothing.
        FileKind::Link => "link".into(),
        FileKind::Unreadable => "unreadable".into(),
        FileKind::File | FileKind::Nothing | FileKind::Other(_) => HumanBytes(entry.length).to_string(),
    };
    let slash = if is_folder { "/" } else { "" };
    to_stdout(format_args!("{length:>10}  {:20}  {}{slash}", modified.unwrap_or_default(), entry.path));
}

/// What messages call a request: its path in quotation marks, or the number of its paths without any.
fn in_messages(title: &str, paths: usize) -> String {
    if paths == 1 { format!("\"{title}\"") } else { title.to_owned() }
}

fn speech(common: &Common) -> Speech {
    match (common.quiet, common.json) {
        (false, _) => Speech::Everything,
        (true, true) => Speech::Results,
        (true, false) => Speech::Nothing,
    }
}

/// Sends one file to a server in base mode.
fn put_one(args: &PutArgs, request: &PutRequest, stop: Stop) -> Result<ExitCode, String> {
    args.choice.check_base_mode()?;
    let [file] = request.files.as_slice() else {
        return Err("a server in base mode takes one file at a time: give one FILE".into());
    };
    if file.as_os_str() == "-" {
        return Err("a server in base mode must know the length first: write it to a file, and send that".into());
    }
    std::fs::metadata(file).map_err(|error| cannot_read_argument(file, &error))?;
    let name = match &request.name {
        Some(name) if name.is_folder => {
            return Err("a server in base mode has no folders: give --name without a / at its end".into());
        }
        Some(name) => base_name(&name.path)?,
        None => name_of(file)?,
    };
    let job = || -> Result<Job, String> {
        let file = Outgoing::file(file)?;
        let session = Client::upload(ClientConfig::default(), name.as_name(), file.length());
        Ok((session, Box::new(|disk| Files::one(disk, file))))
    };
    request::request(&request.server, &args.common, &Local::File(file.clone()), job, stop)
}

/// Fetches one file from a server in base mode.
fn get_one(args: &GetArgs, stop: Stop) -> Result<ExitCode, String> {
    args.choice.check_base_mode()?;
    let (names, server) = args.request()?;
    let [name] = names.as_slice() else {
        return Err("a server in base mode sends one file at a time: give one NAME".into());
    };
    if &**name == "*" {
        return Err("a server in base mode sends one file at a time, and has no lists: give its NAME".into());
    }
    let is_pattern = PathPattern::of(name).is_some();
    // A part would be of no use: no request of this session goes on with one.
    let rules = TreeRules { keeps_parts: false, ..rules_of(args) };
    let (name, wanted) = (base_name(name)?, want(args, name, &server, true, rules)?);
    let destination = wanted.destination;
    let local = match &destination {
        session::Destination::File { path, beneath, .. } => Local::File(beneath.join(&**path)),
        session::Destination::StandardOutput => Local::StandardOutput,
    };
    if let Local::File(path) = &local
        && wanted.here == Here::Folder
    {
        return Err(destination::is_a_folder(path));
    }
    let job = || -> Result<Job, String> {
        // The free space of the disk is the limit.
        let config = ClientConfig { max_download_length: u64::MAX, ..ClientConfig::default() };
        let session = Client::download(config, name.as_name());
        let destination = destination.clone();
        Ok((session, Box::new(move |disk| Files::into(disk, destination))))
    };
    let done = request::request(&server, &args.common, &local, job, stop);
    // A name may also look like one.
    let is_refusal = |why: &str| is_pattern && !why.contains("no answer");
    done.map_err(|why| if is_refusal(&why) { format!("{why} (a server in base mode knows no patterns)") } else { why })
}

fn base_name(name: &FilePathBox) -> Result<NameBuf, String> {
    NameBuf::new(name).map_err(|error| {
        format!("a server in base mode cannot have \"{}\": {error}: give another name", name.as_path())
    })
}

/// The name under which a server in base mode stores `file`.
pub(crate) fn name_of(file: &Path) -> Result<NameBuf, String> {
    let unnamed = || format!("cannot read {} on this machine: it is a folder: give a file in it", file.display());
    let name = file.file_name().ok_or_else(unnamed)?;
    let name = name
        .to_str()
        .ok_or_else(|| format!("cannot send {} under its name: it is not UTF-8: give --name", file.display()))?;
    NameBuf::new(name).map_err(|error| format!("cannot send {} under its name: {error}: give --name", file.display()))
}
