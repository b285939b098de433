//! `charioteer serve --memcached` and `charioteer memcached`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use charioteer::memcached::Client;
use charioteer_server::testing::Certificates;

use crate::support::{Process, charioteer, send_signal, serve};

/// Sends lines and gives the first that comes.
fn ask(stream: &mut (impl Read + Write), lines: &str) -> String {
    stream.write_all(lines.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the server hung up");
        answer.extend_from_slice(&byte);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn serve_serves_memcached_and_says_where() {
    let server = Process::start(&[]);
    let address = server.address("memcached");
    assert!(server.banner.contains(&format!("memcached {address}")), "{}", server.banner);
    assert_eq!(ask(&mut TcpStream::connect(address).unwrap(), "version\r\n"), "VERSION 1.6.45\r\n");
}

#[test]
fn serve_serves_it_on_several_addresses_and_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = Process::start(&["--memcached", "127.0.0.1:0", "--memcached-socket", socket.to_str().unwrap()]);
    let url = server.ready["memcached"].as_str().unwrap();
    assert_eq!(url.strip_prefix("memcached://").unwrap().split(',').count(), 2, "{url}");
    assert_eq!(server.ready["memcached_socket"].as_str().unwrap(), socket.to_str().unwrap());
    assert_eq!(ask(&mut UnixStream::connect(&socket).unwrap(), "mn\r\n"), "MN\r\n");
}

#[test]
fn serve_asks_for_passwords_where_a_file_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, "user:secret\n").unwrap();
    let server = Process::start(&["--memcached-auth-file", users.to_str().unwrap()]);
    let mut stream = TcpStream::connect(server.address("memcached")).unwrap();
    assert_eq!(ask(&mut stream, "version\r\n"), "CLIENT_ERROR unauthenticated\r\n");
    assert_eq!(ask(&mut stream, "set auth 0 0 11\r\nuser secret\r\n"), "STORED\r\n");

    std::fs::write(&users, "nobody\n").unwrap();
    let arguments = ["--memcached-auth-file", users.to_str().unwrap()];
    let output = serve(&arguments).args(["--memcached", "127.0.0.1:0"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("line 1 is not user:password"), "{stderr}");
}

/// A `charioteer memcached` with these arguments, and its port as it writes it for those who started it.
struct Alone {
    child: Child,
    port: u16,
}

impl Alone {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let file = folder.join("port");
        let mut child = Self::command(arguments).env("MEMCACHED_PORT_FILENAME", &file).spawn().unwrap();
        while !file.exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            std::thread::yield_now();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let port = text.trim().strip_prefix("TCP INET: ").map_or(0, |port| port.parse().unwrap());
        Self { child, port }
    }

    fn command(arguments: &[&str]) -> Command {
        let mut command = charioteer(&["memcached"]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn ask(&self, lines: &str) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        ask(&mut TcpStream::connect(address).unwrap(), lines)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // It has mostly ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_started_as_a_memcached_is() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "-p",
        "-1",
        "-U",
        "0",
        "-m",
        "128",
        "-c",
        "100",
        "-t",
        "2",
        "-I",
        "2m",
        "-o",
        "modern,idle_timeout=60",
        "-u",
        "root",
    ];
    let mut server = Alone::start(folder.path(), &options);
    assert_eq!(server.ask("version\r\n"), "VERSION 1.6.45\r\n");
    let large = "x".repeat(1_500_000);
    assert_eq!(server.ask(&format!("set a 0 0 {}\r\n{large}\r\n", large.len())), "STORED\r\n");
    send_signal(&server.child, "TERM");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn what_it_is_told_to_refuse_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let server = Alone::start(folder.path(), &["-p", "-1", "-F", "-X"]);
    assert_eq!(server.ask("flush_all\r\n"), "CLIENT_ERROR flush_all not allowed\r\n");
    assert_eq!(server.ask("lru_crawler metadump all\r\n"), "ERROR metadump not allowed\r\n");
}

#[test]
fn options_that_mean_nothing_here_are_taken_as_memcached_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let extended = "no_slab_automove,no_chunked_items,inline_ascii_resp,no_inline_ascii_resp,drop_privileges,\
                    no_drop_privileges,resp_obj_mem_limit=1,slab_sizes=96-192,sock_cookie_id=3";
    let options = ["-b", "64", "-D", ":", "-f", "1.5", "-k", "-L", "-n", "96", "-N", "2", "-r", "-W", "-o", extended];
    let server = Alone::start(folder.path(), &[&["-p", "-1"][..], &options].concat());
    assert_eq!(server.ask("mn\r\n"), "MN\r\n");
}

#[test]
fn its_number_is_in_a_file_until_a_client_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut server = Alone::start(folder.path(), &["-p", "-1", "-A", "-P", file.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), server.child.id().to_string());
    assert_eq!(server.ask("shutdown later\r\n"), "CLIENT_ERROR invalid shutdown mode\r\n");
    TcpStream::connect(("127.0.0.1", server.port)).unwrap().write_all(b"shutdown\r\n").unwrap();
    assert!(server.child.wait().unwrap().success());
    assert!(!file.exists());
}

#[test]
fn it_says_which_memcached_it_is_and_under_which_licence() {
    let said = |option| {
        let output = charioteer(&["memcached", option]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said("-V"), "memcached 1.6.45\n");
    assert_eq!(said("-h").lines().next(), Some("memcached 1.6.45"));
    assert!(said("-i").contains("Apache-2.0"));
}

#[test]
fn on_a_unix_socket_it_has_no_port() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = Alone::start(folder.path(), &["-s", socket.to_str().unwrap(), "-a", "0700"]);
    assert_eq!(server.port, 0);
    assert_eq!(ask(&mut UnixStream::connect(&socket).unwrap(), "mn\r\n"), "MN\r\n");
}

/// A file of a certificate and its key, and one of the authority.
fn certificates(folder: &Path) -> (PathBuf, PathBuf) {
    let certificates = Certificates::new();
    let (both, authority) = (folder.join("server.pem"), folder.join("ca.pem"));
    let text = format!("{}{}", certificates.server_certificate, certificates.server_key);
    std::fs::write(&both, text).unwrap();
    std::fs::write(&authority, certificates.authority).unwrap();
    (both, authority)
}

/// Has our own client speak TLS to a port.
fn stores_over_tls(address: SocketAddr, authority: &Path) {
    let url = format!("memcacheds://{address}?ca={}", authority.display());
    let client = Client::from_url(&url).unwrap();
    charioteer::block_on(client.set("key", "value")).unwrap();
}

#[test]
fn it_speaks_tls_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (both, authority) = certificates(folder.path());
    let options = format!("ssl_chain_cert={},ssl_verify_mode=1", both.display());
    let server = Alone::start(folder.path(), &["-p", "-1", "-Z", "-o", &options]);
    stores_over_tls(SocketAddr::from(([127, 0, 0, 1], server.port)), &authority);
    let other = tempfile::tempdir().unwrap();
    let server = Alone::start(other.path(), &["-p", "-1", "-l", "notls:127.0.0.1", "-Z", "-o", &options]);
    assert_eq!(server.ask("stats nonsense\r\n"), "ERROR\r\n");
    assert_eq!(server.ask("refresh_certs\r\n"), "OK\r\n");
}

#[test]
fn serve_speaks_tls_on_all_addresses_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let (both, authority) = certificates(folder.path());
    let both = both.to_str().unwrap();
    let server = Process::start(&["--memcached-tls-cert", both, "--memcached-tls-key", both]);
    assert!(server.ready["memcached"].is_null());
    let address = server.address("memcached_tls");
    assert!(server.banner.contains(&format!("memcached {address} (TLS)")), "{}", server.banner);
    stores_over_tls(address, &authority);
}

#[test]
fn what_it_does_not_do_is_refused_when_it_starts() {
    let refused = [
        (&["-U", "11211"][..], "UDP"),
        (&["-Z"], "ssl_chain_cert"),
        (&["-Z", "-o", "ssl_chain_cert=/no/such/file"], "/no/such/file"),
        (&["-o", "ssl_verify_mode=4"], "ssl_verify_mode"),
        (&["-o", "ssl_min_version=3"], "1.3"),
        (&["-S"], "-Y"),
        (&["-o", "ext_path=file:1g"], "ext_path"),
        (&["-I", "2g"], "2g"),
        (&["-p", "70000"], "70000"),
    ];
    for (arguments, word) in refused {
        let output = Alone::command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(word), "{arguments:?}: {stderr}");
    }
}
