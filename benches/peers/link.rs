//! A line to a registry that takes its time: what a network adds, on a machine that has none.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Forwards connections, and adds a round-trip time to their set-up and to everything that goes over them.
///
/// It listens as long as the process lives.
pub(crate) struct Link {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// What came, and when it is due at the other end; `None` is the end.
type Parcel = (Instant, Option<Vec<u8>>);

impl Link {
    /// A line to `target`, a `host:port`.
    pub(crate) fn to(target: &str, round_trip: Duration) -> Self {
        let target: SocketAddr = target
            .parse()
            .expect("a registry on loopback is an address");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                counter.fetch_add(1, Ordering::Relaxed);
                // A client that is gone again needs no line.
                let _ = carry(&client, target, round_trip);
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// How many connections there were since the last call.
    pub(crate) fn take_connections(&self) -> usize {
        self.connections.swap(0, Ordering::Relaxed)
    }
}

fn carry(client: &TcpStream, target: SocketAddr, round_trip: Duration) -> io::Result<()> {
    let server = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // Loopback shakes hands at once. On the network this line stands for, the client's first byte would leave one round
    // trip later.
    let open = Instant::now() + round_trip;
    one_way(
        client.try_clone()?,
        server.try_clone()?,
        open,
        round_trip / 2,
    );
    one_way(server, client.try_clone()?, Instant::now(), round_trip / 2);
    Ok(())
}

/// Two threads, so that what is under way does not keep the next bytes from being taken over.
fn one_way(from: TcpStream, to: TcpStream, open: Instant, delay: Duration) {
    let (sender, receiver) = channel();
    std::thread::spawn(move || take(from, open, delay, &sender));
    std::thread::spawn(move || deliver(to, &receiver));
}

fn take(mut from: TcpStream, open: Instant, delay: Duration, sender: &Sender<Parcel>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let came = from.read(&mut buffer).unwrap_or(0);
        let due = Instant::now().max(open) + delay;
        let content = (came > 0).then(|| buffer[..came].to_vec());
        if sender.send((due, content)).is_err() || came == 0 {
            return;
        }
    }
}

fn deliver(mut to: TcpStream, receiver: &Receiver<Parcel>) {
    for (due, content) in receiver {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let delivered = match content {
            Some(bytes) => to.write_all(&bytes),
            None => to.shutdown(Shutdown::Write),
        };
        if delivered.is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
