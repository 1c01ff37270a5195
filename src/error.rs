//! What kind of thing went wrong, so that a door can answer generically.
//!
//! Each room owns its error enum (`thiserror`), whose messages say what, where and what to do.
//! A door (command line, HTTP) needs only the [`ErrorKind`]: the exit code, the status.

/// The class of an error, decided by the room that raised it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller can mend it: wrong arguments, unreadable input. Exit 2, HTTP 400.
    BadInput,
    /// The thing asked for is not there. Exit 2, HTTP 404.
    NotFound,
    /// What was asked cannot be mixed with what is stored (another encoder, a running writer). Exit 2, HTTP 409.
    Conflict,
    /// Too much at once; later it will work. Exit 3, HTTP 429.
    Busy,
    /// A service or file that is needed is out of reach. Exit 3, HTTP 503.
    Unavailable,
    /// The caller went away or pressed Ctrl-C. Exit 3, no answer.
    Cancelled,
    /// Our fault. Exit 3, HTTP 500.
    Internal,
}

impl ErrorKind {
    /// Process exit code (`0` and `1` are not errors).
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::BadInput | ErrorKind::NotFound | ErrorKind::Conflict => 2,
            ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Cancelled | ErrorKind::Internal => 3,
        }
    }
}

/// An error that knows its own class.
pub trait Classified: std::error::Error {
    /// The class.
    fn kind(&self) -> ErrorKind;

    /// What a client of the server is told: without remedies on a command line that is not his.
    fn for_client(&self) -> String {
        self.to_string()
    }
}
