//! The sockets: bound here, or handed over by who started the bastion.

use listenfd::ListenFd;
use socket2::{Domain, Socket, Type};
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;

/// How many connections may wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

/// Listens at `address`. An IPv6 one is for IPv6 alone, whatever the system's default is, so that both can be listed.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart must not wait for connections of the last life to time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The sockets that systemd handed over (`sd_listen_fds(3)`): connections wait in them while the bastion is restarted. None: bind some.
///
/// To be called once, before any thread is started: what was read is taken out of the environment.
pub fn handed_over() -> io::Result<Vec<std::net::TcpListener>> {
    let mut descriptors = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..descriptors.len() {
        sockets.extend(descriptors.take_tcp_listener(index)?);
    }
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn both_families_can_be_listened_at_on_one_port() {
        let ipv4 = bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = ipv4.local_addr().unwrap().port();
        let Ok(ipv6) = bind(SocketAddr::new("::".parse().unwrap(), port)) else {
            // Hosts without IPv6 have nothing to share, and the port may be somebody else's there.
            return;
        };
        assert_eq!(ipv6.local_addr().unwrap().port(), port);
    }
}
