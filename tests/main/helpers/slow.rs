//! A download that takes its time.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::hub::{Hub, PATIENCE};

/// A download over a connection on which little can be on its way, so that most of it is still to be read from the disk.
pub struct Slow {
    stream: tokio::net::TcpStream,
    length: usize,
}

impl Slow {
    /// Asks for a file, or a range of it, and reads the head of the answer.
    pub async fn begin(hub: &Hub, path: &str, range: Option<&str>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(hub.address.parse().unwrap()).await.unwrap();
        let range = range.map(|range| format!("Range: {range}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{range}Connection: close\r\n\r\n", hub.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 20"), "{head}");
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        Self { stream, length }
    }

    /// The rest.
    pub async fn end(mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await.unwrap().unwrap();
        bytes
    }
}
