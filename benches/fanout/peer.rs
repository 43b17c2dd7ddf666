//! A client's connection: the handshake, and the frames that come (RFC 6455), with nothing allocated per message.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::Result;

/// How much is read at a time.
pub const READ: usize = 256 * 1024;

/// A frame as it came.
pub struct Frame<'a> {
    /// 1 text, 2 binary, 8 close, 9 ping.
    pub opcode: u8,
    /// The frame whole, with its header.
    pub bytes: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
}

/// One connection.
pub struct Peer {
    socket: TcpStream,
    /// The head of the handshake's answer is still to come.
    pub greeting: bool,
    /// A frame that has begun.
    rest: Vec<u8>,
    /// How many binary messages came.
    pub next: usize,
    /// How many text messages came.
    pub texts: usize,
}

impl Peer {
    /// Connects and asks for a WebSocket at this target; without a target frames are expected at once.
    pub fn connect(address: SocketAddr, target: Option<(&str, Option<&str>)>) -> Result<Self> {
        // Blocking, since the loopback answers at once and a refused connection is an error here.
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        if let Some((target, protocol)) = target {
            let protocol = protocol.map_or_else(String::new, |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
            write!(
                socket,
                "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n{protocol}\r\n"
            )?;
        }
        socket.set_nonblocking(true)?;
        let socket = TcpStream::from_std(socket);
        Ok(Self { socket, greeting: target.is_some(), rest: Vec::new(), next: 0, texts: 0 })
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> Result<()> {
        Ok(registry.register(&mut self.socket, token, Interest::READABLE)?)
    }

    /// Sends bytes; the publisher's few fit into the socket's buffer unless the server does not read them.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self.socket.write(bytes) {
            Ok(length) if length == bytes.len() => Ok(()),
            Ok(_) => Err("the server does not take what the publisher sends".into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is there and hands over the frames that are whole.
    pub fn read(&mut self, scratch: &mut [u8], mut take: impl FnMut(&mut Self, Frame<'_>) -> Result<()>) -> Result<()> {
        loop {
            let length = match self.socket.read(scratch) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if self.rest.is_empty() {
                let taken = self.frames(&scratch[..length], &mut take)?;
                self.rest.extend_from_slice(&scratch[taken..length]);
            } else {
                let mut bytes = std::mem::take(&mut self.rest);
                bytes.extend_from_slice(&scratch[..length]);
                let taken = self.frames(&bytes, &mut take)?;
                bytes.drain(..taken);
                self.rest = bytes;
            }
            if length < scratch.len() {
                // Less than there was room for: the socket is empty, and will say when it is not.
                return Ok(());
            }
        }
    }

    /// Hands over what is whole; how many bytes that was.
    fn frames(&mut self, bytes: &[u8], take: &mut impl FnMut(&mut Self, Frame<'_>) -> Result<()>) -> Result<usize> {
        let mut at = 0;
        if self.greeting {
            let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(0) };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                return Err(format!("refused: {}", String::from_utf8_lossy(bytes)).into());
            }
            self.greeting = false;
            at = end + 4;
        }
        while let Some((header, length)) = header(&bytes[at..]) {
            let Some(frame) = bytes.get(at..at + header + length) else { break };
            at += frame.len();
            take(self, Frame { opcode: frame[0] & 0x0F, bytes: frame, payload: &frame[header..] })?;
        }
        Ok(at)
    }
}

/// The lengths of an unmasked frame's header and payload.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [_, short @ 0..=125, ..] => Some((2, short.into())),
        [_, 126, a, b, ..] => Some((4, u16::from_be_bytes([a, b]).into())),
        [_, 127, a, b, c, d, e, f, g, h, ..] => {
            Some((10, usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h])).ok()?))
        }
        _ => None,
    }
}
