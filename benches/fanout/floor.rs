//! The floor: what no server can do without. Waits with epoll, and writes a ready frame to each socket.
//!
//! The first connection is the publisher's: each message is a little-endian u32 length and that many bytes, written as they
//! are to every later connection. Ends with the publisher.

use std::io::{ErrorKind, Read as _, Write as _};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::Result;

const LISTENER: Token = Token(0);
const PUBLISHER: Token = Token(1);

/// Serves until the publisher goes.
pub fn serve() -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?);
    let mut events = Events::with_capacity(1024);
    let mut publisher: Option<TcpStream> = None;
    let mut listeners: Vec<TcpStream> = Vec::new();
    let mut input = Vec::new();
    let mut scratch = vec![0; 64 * 1024];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => loop {
                    let mut socket = match listener.accept() {
                        Ok((socket, _)) => socket,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error.into()),
                    };
                    socket.set_nodelay(true)?;
                    if publisher.is_none() {
                        poll.registry().register(&mut socket, PUBLISHER, Interest::READABLE)?;
                        publisher = Some(socket);
                    } else {
                        listeners.push(socket);
                    }
                },
                _ => {
                    let Some(publisher) = &mut publisher else { continue };
                    loop {
                        match publisher.read(&mut scratch) {
                            Ok(0) => return Ok(()),
                            Ok(length) => input.extend_from_slice(&scratch[..length]),
                            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                            Err(error) => return Err(error.into()),
                        }
                    }
                    while let Some((length, rest)) = input.split_first_chunk() {
                        let length = u32::from_le_bytes(*length) as usize;
                        let Some(frame) = rest.get(..length) else { break };
                        for listener in &mut listeners {
                            if listener.write(frame)? < length {
                                return Err("a listener of the floor fell behind".into());
                            }
                        }
                        input.drain(..4 + length);
                    }
                }
            }
        }
    }
}
