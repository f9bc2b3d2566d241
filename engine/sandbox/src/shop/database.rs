//! The shop's database: a file that every instance reads, and the sessions of logged-in customers.

use std::io::Read as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::folder::{Folder, read_json, write_json, write_text};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u32,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) token: String,
}

/// Something for sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) price_cents: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) users: Vec<User>,
    pub(crate) products: Vec<Product>,
}

/// Access to the database's files.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    content: PathBuf,
    sessions: PathBuf,
}

impl Database {
    pub(crate) fn of(folder: &Folder) -> Self {
        Self { content: folder.database(), sessions: folder.sessions() }
    }

    /// Everything; an error is a database that cannot be reached.
    pub(crate) fn read(&self) -> Result<Content, Error> {
        read_json(&self.content)?.ok_or_else(|| Error::File {
            path: self.content.clone(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        })
    }

    /// Begins a session; the answer is its secret name.
    pub(crate) fn begin_session(&self, email: &str) -> Result<String, Error> {
        let name = random_name()?;
        write_json(&self.sessions.join(&name), &email)?;
        Ok(name)
    }

    /// Whose session it is.
    pub(crate) fn session(&self, name: &str) -> Result<Option<String>, Error> {
        // A name that we never gave out must not become a path.
        if name.len() != 32 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        read_json(&self.sessions.join(name))
    }
}

/// Fills the database of a new sandbox, and writes the test user's credentials where runbooks find them. A database that
/// was lost later stays lost: that is for those who practise to notice.
pub(crate) fn prepare(folder: &Folder) -> Result<(), Error> {
    if folder.credential("test-user-token").exists() {
        return Ok(());
    }
    let (password, token) = (random_name()?, random_name()?);
    write_text(&folder.credential("test-user-password"), &password)?;
    let product = |name: &str, price_cents| Product { name: name.into(), price_cents };
    write_json(
        &folder.migrations(),
        &serde_json::json!({
            "applied": ["0001_users", "0002_products", "0003_sessions"],
            "pending": [],
        }),
    )?;
    write_json(
        &folder.database(),
        &Content {
            users: vec![User {
                id: 1,
                email: "test.user@shop.example".into(),
                name: "Test User".into(),
                password,
                token: token.clone(),
            }],
            products: vec![product("Lamp", 4_900), product("Chair", 12_900), product("Desk", 34_900)],
        },
    )?;
    // Last: its presence says that all of this is there.
    write_text(&folder.credential("test-user-token"), &token)
}

/// 128 random bits in hexadecimal.
fn random_name() -> Result<String, Error> {
    let path = PathBuf::from("/dev/urandom");
    let mut bytes = [0; 16];
    std::fs::File::open(&path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| Error::File { path, source })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
