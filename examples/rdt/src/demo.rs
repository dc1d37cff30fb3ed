//! A demonstration: a client sends a file to a server and fetches it again, with loss. Both run in this process, in two
//! threads, over real sockets.

use crate::access::Access;
use crate::args::DemoArgs;
use crate::attempts::Attempts;
use crate::binding;
use crate::client::FileClient;
use crate::disk::{self, Disk};
use crate::driver::Driver;
use crate::exchange::Exchange;
use crate::file_storage::Files;
use crate::files::{Folder, Outgoing, Space, SpaceLimits, Tree, TreeRules};
use crate::limits::Limits;
use crate::local_failure::of_network;
use crate::loss::Loss;
use crate::messages::{self, error_text};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::report::{Local, Report};
use crate::server::{FileServer, Store};
use crate::session::{Destination, Destinations};
use crate::settings::Settings;
use crate::stop::{INTERRUPTED, Stop};
use rdt_proto::files::FilePath;
use rdt_proto::ftp::{Client, ClientConfig, NameBuf, ServerConfig};
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

/// The size of the generated file in bytes. It is large enough to show progress, and small enough to finish soon.
const GENERATED_BYTES: usize = 4 << 20;

struct Demo<'a> {
    args: &'a DemoArgs,
    settings: Settings,
    server: SocketAddr,
    stop: &'a Stop,
}

pub(crate) fn run(args: &DemoArgs, stop: &Stop) -> Result<ExitCode, String> {
    let fail = |error: io::Error| format!("the demo cannot run: {}", error_text(&error));
    let folder = tempfile::tempdir().map_err(fail)?;
    let (up, down) = (folder.path().join("server"), folder.path().join("client"));
    std::fs::create_dir(&up).and_then(|()| std::fs::create_dir(&down)).map_err(fail)?;
    let original = match &args.file {
        Some(file) => file.clone(),
        None => generate(folder.path()).map_err(fail)?,
    };
    let name = crate::transfer::name_of(&original)?;
    // A file that cannot be sent is an error before anything starts.
    drop(Outgoing::file(&original)?);

    let settings = Settings::default();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let (server_stop, server_loss) = (Stop::default(), Loss::new(args.loss, args.seed.wrapping_add(1)));
    let mut driver =
        Driver::bind(loopback, settings.largest_config().max_datagram_len(), server_loss, server_stop.clone())
            .map_err(fail)?;
    let folder = Folder::open(&up).map_err(fail)?;
    let store = Store {
        access: Access::ReadWrite,
        bench: None,
        tree: Tree::new(folder, TreeRules::default()),
        replaces: true,
        max_size: u64::MAX,
        space: Space::new(SpaceLimits::default()),
    };
    let mut serve = FileServer::new(
        driver.now(),
        settings,
        Limits::default(),
        ServerConfig::default(),
        store,
        driver.waker(),
        true,
    )
    .map_err(fail)?;
    let demo = Demo { args, settings, server: driver.local_address().map_err(fail)?, stop };
    messages::to_stdout(format_args!("server on {}, {} % of all datagrams lost each way", demo.server, args.loss));

    let result = thread::scope(|scope| {
        let server = scope.spawn(|| driver.run(&mut serve));
        let result = demo.up_and_down(&original, &name, &down);
        server_stop.request();
        match server.join() {
            Ok(Ok(())) => result,
            Ok(Err(error)) => Err(fail(error)),
            Err(_) => Err("the server panicked".into()),
        }
    });
    if stop.count() > 0 {
        messages::to_stderr("stopped");
        return Ok(INTERRUPTED.into());
    }
    result?;
    let came = down.join(name.as_name().as_str());
    for (copy, which) in [(up.join(name.as_name().as_str()), "at the server"), (came, "that came back")] {
        if !is_equal(&original, &copy).map_err(fail)? {
            return Err(format!("the file {which} is NOT equal to the original"));
        }
    }
    messages::to_stdout(
        "verified: the file at the server and the file that came back are equal to the original, byte by byte",
    );
    Ok(ExitCode::SUCCESS)
}

impl Demo<'_> {
    fn up_and_down(&self, original: &Path, name: &NameBuf, down: &Path) -> Result<(), String> {
        let file = Outgoing::file(original)?;
        let client = Client::upload(ClientConfig::default(), name.as_name(), file.length());
        self.transfer("up", original, client, |disk| Files::one(disk, file))?;
        let client = Client::download(ClientConfig::default(), name.as_name());
        let folder = Folder::open(down).map_err(|error| error_text(&error))?;
        let path = FilePath::new(name.as_name().as_str()).map_err(|error| error.to_string())?.into();
        let tree = Tree::new(folder, TreeRules { keeps_parts: false, ..TreeRules::default() });
        let destination = Destination::File { tree, path, beneath: down.to_owned() };
        self.transfer("down", down, client, |disk| Files::into(disk, destination))
    }

    fn transfer(
        &self,
        title: &str,
        path: &Path,
        session: Client,
        files: impl FnOnce(Disk) -> Files<Destinations>,
    ) -> Result<(), String> {
        let fail = |error: io::Error| format!("{title}: {}", of_network(error));
        let loss = Loss::new(self.args.loss, self.args.seed);
        let bytes = self.settings.largest_config().max_datagram_len();
        let socket = binding::bind_towards(&[self.server]).map_err(fail)?;
        let mut driver = Driver::on(socket, bytes, loss, self.stop.clone()).map_err(fail)?;
        let report = Report::new(Progress::new(title, &self.server.to_string()), Local::File(path.to_owned()), false);
        let (disk, finished) = Disk::new(driver.waker(), disk::CLIENT_THREADS);
        let exchange = Exchange::new(session, files(disk));
        let patience = Patience::new(driver.now(), &self.settings, false);
        let attempts = Attempts::new(&[self.server], self.settings, patience);
        let mut client = FileClient::new(attempts, self.settings, exchange, Some(finished), report);
        driver.run(&mut client).map_err(fail)?;
        if let Some(failure) = client.failure(driver.network_error()) {
            return Err(format!("{title}: {failure}"));
        }
        if let (Some(result), Some(stats)) = (client.result(), client.stats()) {
            let dropped = driver.dropped();
            let amount = messages::amount(result.bytes, result.took);
            messages::to_stdout(format_args!(
                "{title}: {amount}; the client sent {}, {dropped} of them {} lost",
                messages::counted(stats.datagrams_sent, "datagram"),
                messages::was_or_were(dropped)
            ));
        }
        Ok(())
    }
}

/// Creates a file of random bytes, so that the comparison detects any missing or repeated part.
fn generate(folder: &Path) -> io::Result<std::path::PathBuf> {
    let mut content = vec![0; GENERATED_BYTES];
    getrandom::fill(&mut content).map_err(io::Error::other)?;
    let path = folder.join("generated.bin");
    std::fs::write(&path, content)?;
    Ok(path)
}

fn is_equal(left: &Path, right: &Path) -> io::Result<bool> {
    let (mut left, mut right) = (File::open(left)?, File::open(right)?);
    let (mut left_chunk, mut right_chunk) = (Vec::new(), Vec::new());
    loop {
        left_chunk.clear();
        right_chunk.clear();
        left.by_ref().take(1 << 16).read_to_end(&mut left_chunk)?;
        right.by_ref().take(1 << 16).read_to_end(&mut right_chunk)?;
        if left_chunk != right_chunk {
            return Ok(false);
        }
        if left_chunk.is_empty() {
            return Ok(true);
        }
    }
}
