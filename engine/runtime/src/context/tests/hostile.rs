//! A server that does what servers do on a bad day.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

/// Listens until it is dropped with its runtime.
pub(super) struct Hostile {
    pub(super) address: SocketAddr,
    /// The heads of all requests, in the order of their coming.
    pub(super) heads: Arc<Mutex<Vec<String>>>,
    /// Told of each request that came.
    pub(super) asked: Arc<Notify>,
}

impl Hostile {
    pub(super) async fn start() -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::new(Notify::new());
        let (kept, tell) = (Arc::clone(&heads), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&tell)));
            }
        });
        Hostile { address, heads, asked }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// An address where nobody listens, and nobody else can.
pub(super) async fn nobody() -> SocketAddr {
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Taken for as long as the test lives.
    let taken: &TcpSocket = Box::leak(Box::new(taken));
    taken.local_addr().unwrap()
}

async fn serve(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, asked: Arc<Notify>) {
    let mut first = [0; 16];
    let seen = stream.peek(&mut first).await.unwrap_or(0);
    if String::from_utf8_lossy(&first[..seen]).contains(" /reset") {
        // Closing with what was sent still unread makes the system answer with a reset.
        return;
    }
    let Some(head) = head(&mut stream).await else { return };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heads.lock().unwrap().push(head);
    asked.notify_one();
    let _ = answer(&mut stream, &path).await;
}

/// Up to the empty line. The body is read too, and dropped: a server that closes with something unread resets.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    for _ in 0..length.and_then(|length| length.parse().ok()).unwrap_or(0) {
        stream.read_u8().await.ok()?;
    }
    Some(head)
}

async fn answer(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    match path {
        "/hang" => std::future::pending().await,
        "/drip" => {
            stream.write_all(format!("{ok}content-length: 100000\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(b".").await?;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        "/half" => stream.write_all(format!("{ok}content-length: 100\r\n\r\nhalf").as_bytes()).await,
        "/endless" => {
            stream.write_all(format!("{ok}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
            let chunk = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
            loop {
                stream.write_all(chunk.as_bytes()).await?;
            }
        }
        "/loop" => {
            let answer =
                "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await
        }
        // `/303/HOST/PATH`: elsewhere, with a session.
        path if path.starts_with("/30") => {
            let (status, to) = path[1..].split_once('/').unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 {status} Elsewhere\r\nconnection: close\r\nlocation: http://{to}\r\n\
                 set-cookie: session=e197; Path=/; HttpOnly\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await
        }
        "/missing" => {
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                .await
        }
        "/garbage" => stream.write_all(b"\x00\x01 this is no HTTP\r\n\r\n").await,
        "/broken" => {
            let body = "{\"error\": \"no database\"}";
            let head = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n";
            stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
        }
        _ => {
            let body = "{\"status\": \"healthy\"}";
            stream.write_all(format!("{ok}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
        }
    }
}
