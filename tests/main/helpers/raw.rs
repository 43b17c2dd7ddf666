//! A WebSocket client that does what a library would not: frames of its own, and ends without a word.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::Closed;
pub use super::frame::{LAST, frame};
use super::hub::{Hub, PATIENCE};

/// Opcodes (RFC 6455 §5.2).
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;

pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    /// Joins by the plain protocol.
    pub async fn join(hub: &Hub, path: &str) -> Self {
        let mut stream = TcpStream::connect(&hub.address).await.unwrap();
        // What was sent is on its way then: what the client's own system held back, an RST would take with it.
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            hub.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        Self { stream }
    }

    /// Sends a frame with this first byte.
    pub async fn send(&mut self, first: u8, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&frame(first, payload)).await
    }

    /// How the connection ends; frames before the close are passed over.
    pub async fn closed(&mut self) -> Closed {
        tokio::time::timeout(PATIENCE, self.closed_without_patience()).await.expect("the hub does not close")
    }

    async fn closed_without_patience(&mut self) -> Closed {
        loop {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => usize::from(self.stream.read_u16().await.ok()?),
                127 => usize::try_from(self.stream.read_u64().await.ok()?).unwrap(),
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.ok()?;
            if first == LAST | 8 {
                let (code, reason) = payload.split_first_chunk()?;
                return Some((u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap()));
            }
        }
    }
}
