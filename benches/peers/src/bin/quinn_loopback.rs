//! The rate of quinn over loopback: a server that sends one stream, and a client that counts what arrives.
//!
//! Each end has a thread with a runtime of its own, as `rdt` has. Usage: `quinn_loopback SECONDS`; it prints bits per
//! second. `examples/rdt/compare.py` runs it beside `rdt bench`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

type Failure = Box<dyn Error + Send + Sync>;

/// The length of one write.
const CHUNK: usize = 64 << 10;

fn main() -> Result<(), Failure> {
    let seconds: u64 = std::env::args().nth(1).ok_or("usage: quinn_loopback SECONDS")?.parse()?;
    let (bound, address) = channel();
    thread::spawn(move || runtime()?.block_on(serve(|address| drop(bound.send(address)))));
    let rate = runtime()?.block_on(receive(address.recv()?, Duration::from_secs(seconds)))?;
    println!("{rate}");
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Sends to one client until it closes.
async fn serve(bound: impl FnOnce((SocketAddr, rustls::pki_types::CertificateDer<'static>))) -> Result<(), Failure> {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
    let certificate = key.cert.der().clone();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.key_pair.serialize_der());
    let mut config = quinn::ServerConfig::with_single_cert(vec![certificate.clone()], private.into())?;
    config.transport_config(Arc::new(transport()));
    let endpoint = quinn::Endpoint::server(config, SocketAddr::from(([127, 0, 0, 1], 0)))?;
    bound((endpoint.local_addr()?, certificate));
    let connection = endpoint.accept().await.ok_or("no client")?.await?;
    let mut stream = connection.open_uni().await?;
    let content = bytes::Bytes::from(vec![7; CHUNK]);
    loop {
        stream.write_chunk(content.clone()).await?;
    }
}

/// Returns the bits per second that arrive after the first fifth of the time.
async fn receive(
    (server, certificate): (SocketAddr, rustls::pki_types::CertificateDer<'static>),
    time: Duration,
) -> Result<u64, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate)?;
    let mut config = quinn::ClientConfig::with_root_certificates(Arc::new(roots))?;
    config.transport_config(Arc::new(transport()));
    let mut endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    endpoint.set_default_client_config(config);
    let connection = endpoint.connect(server, "localhost")?.await?;
    let mut stream = connection.accept_uni().await?;
    let (begin, mut total) = (Instant::now() + time / 5, 0_u64);
    let end = begin + time * 4 / 5;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
        let now = Instant::now();
        if now >= end {
            break;
        }
        total += if now >= begin { chunk.bytes.len() as u64 } else { 0 };
    }
    Ok(u64::try_from(u128::from(total) * 8_000_000 / (time * 4 / 5).as_micros())?)
}

/// Windows that do not limit the rate.
fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window((24_u32 << 20).into()).receive_window((24_u32 << 20).into()).send_window(24 << 20);
    transport
}
